//! The room as one user sees it: which events, and in which form.
//!
//! Every endpoint that serves events to clients goes through a [`View`].

mod aggregations;

use std::{cell::RefCell, rc::Rc};

use ruma::{
    UserId,
    events::room::{history_visibility::HistoryVisibility, member::MembershipState},
    room_version_rules::RoomVersionRules,
};
pub use selvedge_protocol::json::ObjectWriter;
use selvedge_protocol::{event::Pdu, state_tree::StateRoot, visibility};

use self::aggregations::Bundle;
use super::{
    state::State,
    store::{Store, StoredEvent},
};
use crate::{
    database::DatabaseError,
    rpc::room::{LogPosition, Reader},
};

/// Where the membership of one who is joined now ended.
const ALWAYS: LogPosition = LogPosition(u64::MAX);
/// How many changes of a user's own membership, or of the history visibility, are looked through for the last time at which they were joined, or for one that hides something.
const MAX_CHANGES: usize = 100;

/// The form in which events are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// For clients, with the room's id.
    #[default]
    Client,
    /// For clients, where the room is known from the context.
    WithoutRoom,
    /// As servers exchange it.
    Federation,
}

/// See the module's documentation.
pub struct View<'a> {
    store: &'a Store,
    reader: &'a Reader,
    rules: Rc<RoomVersionRules>,
    now: u64,
    /// Up to where the user was joined, last; everything of the log when they are joined now.
    joined_until: LogPosition,
    /// The user's standing in the state that was asked for last: most events come in runs with the same state.
    last_standing: RefCell<Option<(StateRoot, Rc<visibility::Standing>)>>,
}

impl<'a> View<'a> {
    /// The room as `reader` sees it at the time `now`, in milliseconds.
    pub fn new(store: &'a Store, reader: &'a Reader, now: u64) -> Result<Self, DatabaseError> {
        let joined_until = joined_until(store, &reader.user_id)?;
        let rules = store.rules()?;
        Ok(Self { store, reader, rules, now, joined_until, last_standing: RefCell::default() })
    }

    /// Up to where the user was joined, last: the position at which that ended, the largest position when they are
    /// joined now, 0 when they never were.
    pub fn joined_until(&self) -> LogPosition {
        self.joined_until
    }

    /// Whether the user may see all of the room's history and ignores nobody, as far as this is told by the current
    /// state and what it replaced. `false` where this is not known.
    pub fn shows_all(&self) -> Result<bool, DatabaseError> {
        if self.joined_until != ALWAYS || !self.reader.ignored_users.is_empty() {
            return Ok(false);
        }
        let Some(key) = self.store.key("m.room.history_visibility", "")? else { return Ok(true) };
        let mut nid = State::current(self.store)?.nid(key)?;
        for _ in 0..MAX_CHANGES {
            let Some(event) = nid.map(|nid| self.store.event(nid)).transpose()? else { return Ok(true) };
            let visibility = visibility::history_visibility(Some(&event.pdu));
            if !matches!(visibility, HistoryVisibility::Shared | HistoryVisibility::WorldReadable) {
                return Ok(false);
            }
            let Some(states) = event.states else { return Ok(false) };
            nid = State::at(self.store, states.before).nid(key)?;
        }
        Ok(false)
    }

    /// Whether the user may see an event that is in the log, and wants to `[C-S §11.10, §11.25]`.
    pub fn shows(&self, event: &StoredEvent) -> Result<bool, DatabaseError> {
        Ok(!self.ignores(event) && self.may_see(event)?)
    }

    /// Whether the user does not want to see an event. State is shown whoever sent it: clients could not make sense of
    /// the room without.
    pub fn ignores(&self, event: &StoredEvent) -> bool {
        event.pdu.state_key().is_none()
            && self.reader.ignored_users.iter().any(|ignored| ignored == event.pdu.sender())
    }

    /// Whether the user may see an event that is in the log, wanted or not.
    pub fn may_see(&self, event: &StoredEvent) -> Result<bool, DatabaseError> {
        let (Some(position), Some(states)) = (event.position, event.states) else { return Ok(false) };
        let before = self.standing(states.before)?;
        let joined_since = position < self.joined_until;
        Ok(visibility::user_may_see(&event.pdu, &self.reader.user_id, &before, joined_since))
    }

    fn standing(&self, root: StateRoot) -> Result<Rc<visibility::Standing>, DatabaseError> {
        if let Some((of, standing)) = self.last_standing.borrow().as_ref()
            && *of == root
        {
            return Ok(Rc::clone(standing));
        }
        let standing = Rc::new(State::at(self.store, root).standing(&self.reader.user_id)?);
        *self.last_standing.borrow_mut() = Some((root, Rc::clone(&standing)));
        Ok(standing)
    }

    /// The JSON of an event for the user. Whether they may see it is not asked here.
    pub fn render(&self, event: &StoredEvent, form: Form) -> Result<String, DatabaseError> {
        self.render_with(event, form, Bundle::All)
    }

    /// The JSON of an event as if it were redacted, with what others have made of it.
    pub fn render_redacted(&self, event: &StoredEvent, form: Form) -> Result<String, DatabaseError> {
        let pdu = Rc::new(event.pdu.redacted(&self.rules.redaction));
        self.render(&StoredEvent { pdu, ..event.clone() }, form)
    }

    fn render_with(&self, event: &StoredEvent, form: Form, bundle: Bundle) -> Result<String, DatabaseError> {
        let mut json = ObjectWriter::new();
        match form {
            Form::Federation => {
                for (key, value) in event.pdu.object() {
                    json.member_as_written(key.text(), value.text());
                }
                if event.pdu.object().get("event_id").is_none() {
                    json.string("event_id", event.pdu.event_id().as_str());
                }
            }
            Form::Client | Form::WithoutRoom => self.client_members(event, form, &mut json)?,
        }
        let mut unsigned = self.unsigned(event)?;
        if let Some(aggregations) = self.aggregations(event, form, bundle)? {
            unsigned.member("m.relations", &aggregations);
        }
        json.member("unsigned", &unsigned.finish());
        Ok(json.finish())
    }

    fn client_members(
        &self,
        event: &StoredEvent,
        form: Form,
        json: &mut ObjectWriter,
    ) -> Result<(), DatabaseError> {
        let redacts = self.redacts(&event.pdu);
        let content = match &redacts {
            // Clients of any age find the redacted event both in the content and beside it.
            Some(redacts) if event.pdu.content_object().get("redacts").is_none() => {
                let mut content = ObjectWriter::new();
                for (key, value) in event.pdu.content_object() {
                    content.member_as_written(key.text(), value.text());
                }
                content.string("redacts", redacts);
                content.finish()
            }
            _ => event.pdu.content_json().to_owned(),
        };
        json.member("content", &content);
        json.string("event_id", event.pdu.event_id().as_str());
        json.member("origin_server_ts", &event.pdu.origin_server_ts().get().to_string());
        if let Some(redacts) = &redacts {
            json.string("redacts", redacts);
        }
        if form == Form::Client {
            json.string("room_id", event.pdu.room_id().as_str());
        }
        json.string("sender", event.pdu.sender().as_str());
        if let Some(state_key) = event.pdu.state_key() {
            json.string("state_key", state_key);
        }
        json.string("type", event.pdu.event_type());
        Ok(())
    }

    fn redacts(&self, pdu: &Pdu) -> Option<String> {
        let is_redaction = pdu.event_type() == "m.room.redaction" && pdu.state_key().is_none();
        is_redaction.then(|| pdu.redacts(&self.rules.redaction))?.map(|id| id.to_string())
    }

    /// What the server adds to an event `[C-S §7.3, UnsignedData]`.
    fn unsigned(&self, event: &StoredEvent) -> Result<ObjectWriter, DatabaseError> {
        let mut json = ObjectWriter::new();
        let age = self.now.saturating_sub(event.pdu.origin_server_ts().get().into());
        json.member("age", &age.to_string());
        if let Some(states) = event.states {
            let membership = self.standing(states.after)?;
            json.string("membership", membership.membership.as_str());
            if let Some(key) = event.key
                && let Some(previous) = State::at(self.store, states.before).nid(key)?
            {
                let previous = self.store.event(previous)?;
                json.member("prev_content", previous.pdu.content_json());
                // Not specified, but clients tell by it who made the invitation that was accepted.
                json.string("prev_sender", previous.pdu.sender().as_str());
                json.string("replaces_state", previous.pdu.event_id().as_str());
            }
        }
        if let Some(redaction) = event.redacted_by {
            let redaction = self.store.event(redaction)?;
            json.member("redacted_because", &self.render(&redaction, Form::Client)?);
        }
        if let Some(txn) = &event.txn
            && txn.device_id == self.reader.device_id.as_str()
            && event.pdu.sender() == self.reader.user_id
        {
            json.string("transaction_id", &txn.txn_id);
        }
        Ok(json)
    }
}

/// See [`View::joined_until`].
pub fn joined_until(store: &Store, user_id: &UserId) -> Result<LogPosition, DatabaseError> {
    let Some(key) = store.key("m.room.member", user_id.as_str())? else { return Ok(LogPosition(0)) };
    let mut until = ALWAYS;
    let mut nid = State::current(store)?.nid(key)?;
    for _ in 0..MAX_CHANGES {
        let Some(event) = nid.map(|nid| store.event(nid)).transpose()? else { break };
        if visibility::membership(Some(&event.pdu)) == MembershipState::Join {
            return Ok(until);
        }
        let Some(states) = event.states else { break };
        until = event.position.unwrap_or(until);
        nid = State::at(store, states.before).nid(key)?;
    }
    Ok(LogPosition(0))
}
