//! The answer to a search. Not ruma's type: that leaves out empty results, which clients expect.

use std::collections::BTreeSet;

use ruma::{
    OwnedEventId, OwnedRoomId,
    api::client::search::search_events::v3::{Criteria, GroupingKey},
};
use selvedge_durable_objects::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::room::{HitContext, RenderHits, RenderedHit, RenderedHits, WantedState},
};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    bounded,
    find::{CONCURRENCY, Found, Page, Search, answered},
    token::Scope,
};
use crate::answer::Json;

/// How many events before a result, and after, there are at most.
const MAX_CONTEXT: u32 = 50;

#[derive(Serialize)]
struct Answer {
    search_categories: Categories,
}

#[derive(Serialize)]
struct Categories {
    room_events: RoomEvents,
}

#[derive(Serialize)]
struct RoomEvents {
    count: u64,
    #[serde(skip_serializing_if = "Members::is_empty")]
    groups: Members<&'static str, Members<String, Group>>,
    highlights: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    results: Vec<ResultOfSearch>,
    #[serde(skip_serializing_if = "Members::is_empty")]
    state: Members<OwnedRoomId, Box<RawValue>>,
}

/// An object of no more members than a page has results, which are looked through.
struct Members<K, V>(Vec<(K, V)>);

impl<K: PartialEq, V> Members<K, V> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
    }
}

impl<K: Serialize, V: Serialize> Serialize for Members<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[derive(Serialize)]
struct Group {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    order: usize,
    results: Vec<OwnedEventId>,
}

#[derive(Serialize)]
struct ResultOfSearch {
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Box<RawValue>>,
    rank: f64,
    result: Box<RawValue>,
}

/// The answer with what is on `page`.
pub async fn render(
    search: &Search<'_>,
    criteria: &Criteria,
    has_context: bool,
    mut page: Page,
) -> Result<Json, MatrixError> {
    let rooms = render_rooms(search, criteria, has_context, &page.found).await?;
    let mut rendered: Vec<RenderedHit> = Vec::new();
    let mut highlights = BTreeSet::new();
    let mut state = Members(Vec::new());
    for (room_id, room) in rooms {
        rendered.extend(room.hits);
        highlights.extend(room.highlights);
        state.0.extend(room.state.map(|state| (room_id, state)));
    }
    page.found.retain(|found| rendered.iter().any(|hit| hit.event_id == found.item.event_id));
    let groups = groups(criteria, &page)?;
    let results = page.found.iter().filter_map(|found| {
        let hit = rendered.iter().position(|hit| hit.event_id == found.item.event_id)?;
        let hit = rendered.swap_remove(hit);
        Some(ResultOfSearch { context: hit.context, rank: found.item.rank, result: hit.event })
    });
    let room_events = RoomEvents {
        count: page.count,
        groups,
        highlights,
        results: results.collect(),
        next_batch: page.has_more.then(|| page.end.write()).transpose()?,
        state,
    };
    let answer = Answer { search_categories: Categories { room_events } };
    Ok(Json(serde_json::to_string(&answer)?))
}

/// Has each room render what was found in it.
async fn render_rooms(
    search: &Search<'_>,
    criteria: &Criteria,
    has_context: bool,
    found: &[Found],
) -> Result<Vec<(OwnedRoomId, RenderedHits)>, MatrixError> {
    let mut events: Members<&OwnedRoomId, Vec<OwnedEventId>> = Members(Vec::new());
    for found in found {
        let id = found.item.event_id.clone();
        match events.get_mut(&&found.room_id) {
            Some(events) => events.push(id),
            None => events.0.push((&found.room_id, vec![id])),
        }
    }
    let around = &criteria.event_context;
    let context = has_context.then(|| HitContext {
        before: bounded(around.before_limit).min(MAX_CONTEXT),
        after: bounded(around.after_limit).min(MAX_CONTEXT),
        profiles: around.include_profile,
    });
    let state = match (criteria.include_state, search.filter.loads_lazily()) {
        (Some(true), true) => WantedState::Lazy,
        (Some(true), false) => WantedState::All,
        _ => WantedState::Nothing,
    };
    let came = each(CONCURRENCY, events.0, |(room_id, events)| async move {
        let (reader, query) = (search.reader.clone(), search.query.clone());
        let command = RenderHits { reader, query, events, context, state };
        Ok((room_id.clone(), search.ctx.call(room_id, &command).await?))
    });
    let mut failed = None;
    let rendered = answered(&mut failed, came.await);
    match failed {
        Some(error) if rendered.is_empty() => Err(error),
        _ => Ok(rendered),
    }
}

/// The groups that the client asks for.
fn groups(
    criteria: &Criteria,
    page: &Page,
) -> Result<Members<&'static str, Members<String, Group>>, MatrixError> {
    let (mut by_room, mut by_sender) = (false, false);
    for grouping in &criteria.groupings.group_by {
        match &grouping.key {
            Some(GroupingKey::RoomId) => by_room = true,
            Some(GroupingKey::Sender) => by_sender = true,
            _ => return Err(MatrixError::invalid_param("Results are grouped by room_id or sender")),
        }
    }
    let mut groups = Members(Vec::new());
    if by_room {
        let scope = |found: &Found| Scope::Room(found.room_id.clone());
        groups.0.push(("room_id", group(page, &scope, &|found| !found.is_last_of_room)?));
    }
    if by_sender {
        let scope = |found: &Found| Scope::Sender(found.item.sender.clone());
        groups.0.push(("sender", group(page, &scope, &|_| page.has_more)?));
    }
    Ok(groups)
}

/// The results of a page by what `scope` says. `has_more` is asked of each group's last result.
fn group(
    page: &Page,
    scope: &dyn Fn(&Found) -> Scope,
    has_more: &dyn Fn(&Found) -> bool,
) -> Result<Members<String, Group>, MatrixError> {
    let mut groups: Members<String, Group> = Members(Vec::new());
    for found in &page.found {
        let scope = scope(found);
        let name = match &scope {
            Scope::Room(room_id) => room_id.to_string(),
            Scope::Sender(user_id) => user_id.to_string(),
            Scope::All => continue,
        };
        let next_batch = has_more(found).then(|| page.end.within(scope).write()).transpose()?;
        let id = found.item.event_id.clone();
        if let Some(group) = groups.get_mut(&name) {
            group.results.push(id);
            group.next_batch = next_batch;
        } else {
            let order = groups.0.len().saturating_add(1);
            groups.0.push((name, Group { next_batch, order, results: vec![id] }));
        }
    }
    Ok(groups)
}
