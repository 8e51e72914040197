//! Reading the timeline.

mod page;

use std::{collections::BTreeMap, rc::Rc};

use ruma::{UserId, api::Direction};
use serde_json::value::RawValue;

pub(super) use self::page::Stretch;
use super::read_state::raw;
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        state::State,
        store::StoredEvent,
        view::{Form, ObjectWriter, View},
    },
    rpc::room::{GetContext, GetEvent, GetMessages, LogPosition},
};

/// A token of the client, read. `M_INVALID_PARAM`.
pub(super) fn position(token: &str) -> Result<LogPosition, MatrixError> {
    LogPosition::from_token(token)
        .ok_or_else(|| MatrixError::invalid_param("This is not a token of the room's timeline"))
}

fn no_such_event() -> MatrixError {
    MatrixError::not_found("There is no such event, or you may not see it")
}

impl RoomEngine {
    /// An event that the reader may see. `M_NOT_FOUND`.
    pub(super) fn shown_event(
        &self,
        view: &View<'_>,
        event_id: &ruma::EventId,
    ) -> Result<Rc<StoredEvent>, MatrixError> {
        let event = self.store.find_event(event_id)?.ok_or_else(no_such_event)?;
        if view.shows(&event)? { Ok(event) } else { Err(no_such_event()) }
    }

    pub(in crate::room) async fn get_event(
        self: &Rc<Self>,
        command: GetEvent,
    ) -> Result<Box<RawValue>, MatrixError> {
        if self.visible_state(&command.reader.user_id).await.is_err() && self.store.find_meta()?.is_none() {
            return Err(no_such_event());
        }
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        let event = self.shown_event(&view, &command.event_id)?;
        raw(view.render(&event, Form::Client)?)
    }

    pub(in crate::room) async fn get_messages(
        self: &Rc<Self>,
        command: GetMessages,
    ) -> Result<Box<RawValue>, MatrixError> {
        self.visible_state(&command.reader.user_id).await?;
        let from = match &command.from {
            Some(token) => position(token)?,
            None if command.direction == Direction::Forward => LogPosition(0),
            None => self.store.meta()?.last_position,
        };
        let to = command.to.as_deref().map(position).transpose()?;
        let stretch = Stretch { from, to, direction: command.direction, limit: command.limit };
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        let page = self.page(&view, &command.filter, &stretch).await?;

        let mut json = ObjectWriter::new();
        json.array("chunk", render(&view, &page.events)?);
        if !page.events.is_empty() || page.has_more {
            json.string("end", &page.end.token());
        }
        json.string("start", &from.token());
        if let Some(first) = page.events.first()
            && let Some(states) = first.states
            && command.filter.loads_lazily()
        {
            let state = State::at(&self.store, states.after);
            json.array("state", render(&view, &members_of_senders(&state, &page.events)?)?);
        }
        raw(json.finish())
    }

    pub(in crate::room) async fn get_context(
        self: &Rc<Self>,
        command: GetContext,
    ) -> Result<Box<RawValue>, MatrixError> {
        if self.store.find_meta()?.is_none() {
            return Err(super::not_in_room());
        }
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        let event = self.shown_event(&view, &command.event_id)?;
        let position = event.position.ok_or_else(no_such_event)?;
        let half = command.limit / 2;
        let before = LogPosition(position.0.saturating_sub(1));
        let before = Stretch { from: before, to: None, direction: Direction::Backward, limit: half };
        let after = command.limit.saturating_sub(half);
        let after = Stretch { from: position, to: None, direction: Direction::Forward, limit: after };
        let before = self.page(&view, &command.filter, &before).await?;
        let after = self.page(&view, &command.filter, &after).await?;

        let last = after.events.last().unwrap_or(&event);
        let state = last.states.map(|states| State::at(&self.store, states.after));
        let state = match state {
            Some(state) if command.filter.loads_lazily() => {
                let mut shown = vec![Rc::clone(&event)];
                shown.extend(before.events.iter().chain(&after.events).cloned());
                lazy_state(&state, &shown)?
            }
            Some(state) => state.all()?,
            None => Vec::new(),
        };
        let mut json = ObjectWriter::new();
        json.string("end", &after.end.token());
        json.member("event", &view.render(&event, Form::Client)?);
        json.array("events_after", render(&view, &after.events)?);
        json.array("events_before", render(&view, &before.events)?);
        json.string("start", &before.end.token());
        json.array("state", render(&view, &state)?);
        raw(json.finish())
    }
}

/// The JSON of events.
pub(super) fn render(view: &View<'_>, events: &[Rc<StoredEvent>]) -> Result<Vec<String>, DatabaseError> {
    events.iter().map(|event| view.render(event, Form::Client)).collect()
}

/// The member events of those who sent the events.
pub(super) fn members_of_senders(
    state: &State,
    events: &[Rc<StoredEvent>],
) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
    let senders: BTreeMap<&UserId, _> = events.iter().map(|event| (event.pdu.sender(), event)).collect();
    let members = senders.into_values().map(|event| state.member_of_sender(event));
    members.filter_map(Result::transpose).collect()
}

/// The state without members, but with those of the senders of the events.
pub(super) fn lazy_state(
    state: &State,
    events: &[Rc<StoredEvent>],
) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
    let mut lazy = members_of_senders(state, events)?;
    for event in state.all()? {
        if event.pdu.event_type() != "m.room.member" {
            lazy.push(event);
        }
    }
    Ok(lazy)
}
