//! What other servers read of the room `[S-S §9]`.

use std::{collections::BTreeSet, rc::Rc};

use ruma::{EventId, ServerName, api::error::ErrorCode};
use selvedge_protocol::nid::EventNid;
use serde_json::value::RawValue;

use super::{
    RoomEngine,
    graph::{self, ServerView, find_served},
    state::State,
    store::{Standing, StoredEvent},
};
use crate::{
    matrix_error::MatrixError,
    rpc::room::{
        ServeAuthChain, ServeBackfill, ServeEvent, ServeMissingEvents, ServeState, ServeStateIds,
        ServedState, ServedStateIds,
    },
};

/// The most events of a backfill.
const MAX_BACKFILL: u64 = 100;
/// The most missing events.
const MAX_MISSING: u64 = 50;
/// The most events that a question may name.
const MAX_NAMED: usize = 100;

fn bounded(limit: u64, most: u64) -> usize {
    usize::try_from(limit.min(most)).unwrap_or(usize::MAX)
}

fn no_such_event() -> MatrixError {
    MatrixError::not_found("There is no such event in the room")
}

impl RoomEngine {
    /// `M_FORBIDDEN` unless a user of the server is joined, and the room does not ban it. The same for rooms that do
    /// not exist.
    pub(super) fn require_resident(&self, server: &ServerName) -> Result<(), MatrixError> {
        let is_resident = self.store.find_meta()?.is_some()
            && self.store.server(server)?.is_some_and(|server| server.joined > 0)
            && self.is_admitted(server)?;
        if is_resident { Ok(()) } else { Err(MatrixError::forbidden("Your server is not in the room")) }
    }

    /// The same, where all of the state has to be known.
    fn require_whole_state(&self, server: &ServerName) -> Result<(), MatrixError> {
        self.require_resident(server)?;
        if self.is_partial()? {
            let code = ErrorCode::from("M_UNABLE_DUE_TO_PARTIAL_STATE");
            return Err(MatrixError::new(403, code, "This server does not know all of the room yet"));
        }
        Ok(())
    }

    pub(super) fn serve_backfill(&self, command: ServeBackfill) -> Result<Vec<Box<RawValue>>, MatrixError> {
        self.require_resident(&command.server)?;
        if command.from.len() > MAX_NAMED {
            return Err(MatrixError::invalid_param("Too many events are named"));
        }
        let events = graph::backfill(&self.store, &command.from, bounded(command.limit, MAX_BACKFILL))?;
        self.shown_to(&command.server, events)
    }

    pub(super) fn serve_missing_events(
        &self,
        command: ServeMissingEvents,
    ) -> Result<Vec<Box<RawValue>>, MatrixError> {
        self.require_resident(&command.server)?;
        let ServeMissingEvents { server, earliest, latest, min_depth, limit } = command;
        if earliest.len() > MAX_NAMED || latest.len() > MAX_NAMED {
            return Err(MatrixError::invalid_param("Too many events are named"));
        }
        let limit = bounded(limit, MAX_MISSING);
        let events = graph::missing_events(&self.store, &earliest, &latest, min_depth, limit)?;
        self.shown_to(&server, events)
    }

    /// Events in the form in which a server may have them: redacted where it was not in the room.
    fn shown_to(
        &self,
        server: &ServerName,
        events: Vec<Rc<StoredEvent>>,
    ) -> Result<Vec<Box<RawValue>>, MatrixError> {
        let mut view = ServerView::new(&self.store, server);
        events.iter().map(|event| self.shown_event_to(&mut view, event)).collect()
    }

    fn shown_event_to(
        &self,
        view: &mut ServerView,
        event: &StoredEvent,
    ) -> Result<Box<RawValue>, MatrixError> {
        let json = if view.shows(event)? {
            event.pdu.json().to_owned()
        } else {
            event.pdu.redacted(&self.store.rules()?.redaction).into_json()
        };
        Ok(RawValue::from_string(json)?)
    }

    pub(super) fn serve_event(&self, command: ServeEvent) -> Result<Option<Box<RawValue>>, MatrixError> {
        if self.require_resident(&command.server).is_err() {
            return Ok(None);
        }
        let event = self.store.find_event(&command.event_id)?;
        let Some(event) = event.filter(|event| event.standing != Standing::Unchecked) else {
            return Ok(None);
        };
        // State is what other events are checked by: it is given whole, as with the state itself.
        if event.pdu.state_key().is_some() {
            return Ok(Some(RawValue::from_string(event.pdu.json().to_owned())?));
        }
        let mut view = ServerView::new(&self.store, &command.server);
        self.shown_event_to(&mut view, &event).map(Some)
    }

    pub(super) fn serve_auth_chain(
        &self,
        command: ServeAuthChain,
    ) -> Result<Vec<Box<RawValue>>, MatrixError> {
        self.require_resident(&command.server)?;
        let event = self.store.find_event(&command.event_id)?;
        let event = event.filter(|event| event.standing != Standing::Unchecked).ok_or_else(no_such_event)?;
        self.texts(self.chain_of(vec![event.nid])?)
    }

    /// What authorises events.
    fn chain_of(&self, events: Vec<EventNid>) -> Result<BTreeSet<EventNid>, MatrixError> {
        Ok(graph::auth_chain(&self.store, events.into_iter().map(Ok))?)
    }

    pub(super) fn serve_state(&self, command: ServeState) -> Result<ServedState, MatrixError> {
        self.require_whole_state(&command.server)?;
        let state = self.state_before(&command.event_id)?;
        let auth_chain = self.texts(self.chain_of(state.clone())?)?;
        Ok(ServedState { pdus: self.texts(state)?, auth_chain })
    }

    pub(super) fn serve_state_ids(&self, command: ServeStateIds) -> Result<ServedStateIds, MatrixError> {
        self.require_whole_state(&command.server)?;
        let state = self.state_before(&command.event_id)?;
        let chain = self.chain_of(state.clone())?.into_iter();
        Ok(ServedStateIds {
            pdu_ids: state.into_iter().map(|nid| self.store.event_id(nid)).collect::<Result<_, _>>()?,
            auth_chain_ids: chain.map(|nid| self.store.event_id(nid)).collect::<Result<_, _>>()?,
        })
    }

    fn state_before(&self, event_id: &EventId) -> Result<Vec<EventNid>, MatrixError> {
        let event = find_served(&self.store, event_id)?.ok_or_else(no_such_event)?;
        let states = event.states.ok_or_else(no_such_event)?;
        let entries = State::at(&self.store, states.before);
        Ok(entries.entries().map(|entry| entry.map(|(_, nid)| nid)).collect::<Result<_, _>>()?)
    }
}
