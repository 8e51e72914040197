//! The answer to a search. Not ruma's type: that leaves out empty results, which clients expect.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    OwnedEventId, OwnedRoomId,
    api::client::search::search_events::v3::{Criteria, GroupingKey},
};
use selvedge_durable_objects::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::room::{HitContext, RenderHits, RenderedHit, RenderedHits, WantedState},
};
use serde::Serialize;
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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<&'static str, BTreeMap<String, Group>>,
    highlights: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    results: Vec<ResultOfSearch>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    state: BTreeMap<OwnedRoomId, Box<RawValue>>,
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
    let mut rendered: BTreeMap<OwnedEventId, RenderedHit> = BTreeMap::new();
    let mut highlights = BTreeSet::new();
    let mut state = BTreeMap::new();
    for (room_id, room) in rooms {
        rendered.extend(room.hits.into_iter().map(|hit| (hit.event_id.clone(), hit)));
        highlights.extend(room.highlights);
        state.extend(room.state.map(|state| (room_id, state)));
    }
    page.found.retain(|found| rendered.contains_key(&found.item.event_id));
    let groups = groups(criteria, &page)?;
    let results = page.found.iter().filter_map(|found| {
        let hit = rendered.remove(&found.item.event_id)?;
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
    let mut events: BTreeMap<&OwnedRoomId, Vec<OwnedEventId>> = BTreeMap::new();
    for found in found {
        events.entry(&found.room_id).or_default().push(found.item.event_id.clone());
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
    let came = each(CONCURRENCY, events, |(room_id, events)| async move {
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
) -> Result<BTreeMap<&'static str, BTreeMap<String, Group>>, MatrixError> {
    let mut groups = BTreeMap::new();
    for grouping in &criteria.groupings.group_by {
        match &grouping.key {
            Some(GroupingKey::RoomId) => {
                let scope = |found: &Found| Scope::Room(found.room_id.clone());
                groups.insert("room_id", group(page, scope, |found| !found.is_last_of_room)?);
            }
            Some(GroupingKey::Sender) => {
                let scope = |found: &Found| Scope::Sender(found.item.sender.clone());
                groups.insert("sender", group(page, scope, |_| page.has_more)?);
            }
            _ => return Err(MatrixError::invalid_param("Results are grouped by room_id or sender")),
        }
    }
    Ok(groups)
}

/// The results of a page by what `scope` says. `has_more` is asked of each group's last result.
fn group(
    page: &Page,
    scope: impl Fn(&Found) -> Scope,
    has_more: impl Fn(&Found) -> bool,
) -> Result<BTreeMap<String, Group>, MatrixError> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for found in &page.found {
        let scope = scope(found);
        let name = match &scope {
            Scope::Room(room_id) => room_id.to_string(),
            Scope::Sender(user_id) => user_id.to_string(),
            Scope::All => continue,
        };
        let order = groups.len().saturating_add(1);
        let group =
            groups.entry(name).or_insert_with(|| Group { next_batch: None, order, results: Vec::new() });
        group.results.push(found.item.event_id.clone());
        group.next_batch = has_more(found).then(|| page.end.within(scope).write()).transpose()?;
    }
    Ok(groups)
}
