//! The content of what was found.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ruma::api::Direction;
use serde_json::{Value, json};

use crate::{
    database::DatabaseError,
    full_text::Term,
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        client::{
            read_state::raw,
            timeline::{Stretch, lazy_state, members_of_senders, render},
        },
        state::State,
        store::StoredEvent,
        view::{Form, ObjectWriter, View},
    },
    rpc::room::{
        HitContext, LogPosition, RenderHits, RenderedHit, RenderedHits, TimelineFilter, WantedState,
    },
};

/// How many words are highlighted.
const MAX_HIGHLIGHTS: usize = 200;

impl RoomEngine {
    pub(in crate::room) async fn render_hits(
        self: &Rc<Self>,
        command: RenderHits,
    ) -> Result<RenderedHits, MatrixError> {
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        let mut hits = Vec::new();
        let mut shown = Vec::new();
        let mut highlights = BTreeSet::new();
        let term = Term::of_text(&command.query.term);
        for event_id in command.events {
            let Some(event) = self.store.find_event(&event_id)? else { continue };
            if event.redacted_by.is_some() || !view.shows(&event)? {
                continue;
            }
            for text in ["body", "name", "topic"].iter().filter_map(|field| event.pdu.content_str(field)) {
                highlights.extend(term.matching_words(&text));
            }
            let context =
                command.context.map(|wanted| self.hit_context(&view, &event, wanted)).transpose()?;
            let rendered = raw(view.render(&event, Form::Client)?)?;
            hits.push(RenderedHit { event_id, event: rendered, context: context.map(raw).transpose()? });
            shown.push(event);
        }
        let state = match command.state {
            WantedState::Nothing => None,
            wanted => Some(self.visible_state(&command.reader.user_id).await?).map(|state| (state, wanted)),
        };
        let state = match state {
            None => None,
            Some((state, wanted)) => {
                let events =
                    if wanted == WantedState::All { state.all()? } else { lazy_state(&state, &shown)? };
                Some(raw(format!("[{}]", render(&view, &events)?.join(",")))?)
            }
        };
        let highlights = highlights.into_iter().take(MAX_HIGHLIGHTS).collect();
        Ok(RenderedHits { hits, highlights, state })
    }

    /// The events around one, of those that are here.
    fn hit_context(
        &self,
        view: &View<'_>,
        event: &StoredEvent,
        wanted: HitContext,
    ) -> Result<String, MatrixError> {
        let position = event.position.unwrap_or_default();
        let before = LogPosition(position.0.saturating_sub(1));
        let before = Stretch { from: before, to: None, direction: Direction::Backward, limit: wanted.before };
        let after = Stretch { from: position, to: None, direction: Direction::Forward, limit: wanted.after };
        let everything = TimelineFilter::default();
        let before = self.page_at_hand(view, &everything, &before)?;
        let after = self.page_at_hand(view, &everything, &after)?;
        let mut json = ObjectWriter::new();
        json.string("end", &after.end.token());
        json.array("events_after", render(view, &after.events)?);
        json.array("events_before", render(view, &before.events)?);
        if wanted.profiles
            && let Some(states) = event.states
        {
            let mut events = before.events;
            events.extend(after.events);
            let profiles = profiles(&State::at(&self.store, states.after), event, &events)?;
            json.member("profile_info", &serde_json::to_string(&profiles)?);
        }
        json.string("start", &before.end.token());
        Ok(json.finish())
    }
}

/// The profiles of the senders of a hit and of the events around it, at the hit.
fn profiles(
    state: &State,
    hit: &StoredEvent,
    events: &[Rc<StoredEvent>],
) -> Result<BTreeMap<String, Value>, DatabaseError> {
    let mut members = members_of_senders(state, events)?;
    members.extend(state.event("m.room.member", hit.pdu.sender().as_str())?);
    let profile = |member: &Rc<StoredEvent>| {
        let mut profile = json!({});
        for field in ["avatar_url", "displayname"] {
            if let (Some(profile), Some(value)) = (profile.as_object_mut(), member.pdu.content_str(field)) {
                profile.insert(field.to_owned(), Value::from(value.as_ref()));
            }
        }
        Some((member.pdu.state_key()?.to_owned(), profile))
    };
    Ok(members.iter().filter_map(profile).collect())
}
