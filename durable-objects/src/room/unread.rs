//! How many events a user has not read `[C-S §11.13, receiving notifications]`.
//!
//! Sending a message costs nothing here, however many members there are. When a user syncs, the events since the last
//! time are weighed by their push rules, each once. What came of it is kept in memory, and written down after every
//! [`WRITE_AFTER`] events: at most so many are weighed again after a restart.

mod notifications;
mod tally;

use std::{cell::RefCell, collections::HashMap};

use ruma::{
    OwnedUserId, UserId,
    events::room::member::MembershipState,
    push::{PushConditionRoomCtx, Ruleset},
};
use selvedge_protocol::{auth::AuthState, push, visibility};
use serde::Deserialize;

pub(super) use self::tally::Read;
pub use self::tally::{Count, Tally};
use super::{RoomEngine, state::State, store::StoredEvent, threads, view::View};
use crate::{
    database::DatabaseError,
    rpc::room::{LogPosition, Reader},
};

/// After how many entries of the log the tally is written down.
const WRITE_AFTER: usize = 100;
/// How many entries of the log are weighed at most; who was away for longer hears of the latest.
const MAX_WEIGHED: u32 = 2_000;
/// How many entries are read at a time.
const PAGE: u32 = 200;
/// How many users' tallies are kept in memory.
const MAX_USERS: usize = 1_000;
/// How many changes of a user's own member event are looked through for the one by which they joined.
const MAX_CHANGES: usize = 100;

/// The tallies in memory.
#[derive(Default)]
pub(super) struct Tallies(RefCell<HashMap<OwnedUserId, Counted>>);

/// What is known of one user.
#[derive(Debug, Clone, Default)]
struct Counted {
    tally: Tally,
    to: LogPosition,
    /// How many entries were weighed since it was written down.
    unwritten: usize,
    /// Up to where they have read; `None` when they have read on since.
    read: Option<Read>,
}

impl Tallies {
    /// The user has read on.
    pub fn read_on(&self, user_id: &UserId) {
        if let Some(counted) = self.0.borrow_mut().get_mut(user_id) {
            counted.read = None;
        }
    }
}

/// The rules as they are kept in account data.
#[derive(Deserialize)]
struct PushRules {
    global: Ruleset,
}

impl RoomEngine {
    /// What a joined user has not read. `push_rules` is the content of their `m.push_rules`, if they have changed any.
    pub(super) fn unread(
        &self,
        reader: &Reader,
        view: &View<'_>,
        push_rules: Option<&str>,
    ) -> Result<Tally, DatabaseError> {
        let known = self.tallies.0.borrow_mut().remove(&reader.user_id);
        let mut counted = match known {
            Some(counted) => counted,
            None => self.stored_tally(&reader.user_id)?,
        };
        let read = match counted.read.take() {
            Some(read) => read,
            None => self.read_by(&reader.user_id)?,
        };
        self.weigh_news(reader, view, push_rules, &read, &mut counted)?;
        counted.tally.forget_read(&read);
        counted.read = Some(read);
        let tally = counted.tally.clone();
        let mut tallies = self.tallies.0.borrow_mut();
        if tallies.len() >= MAX_USERS {
            tallies.clear();
        }
        tallies.insert(reader.user_id.clone(), counted);
        Ok(tally)
    }

    fn stored_tally(&self, user_id: &UserId) -> Result<Counted, DatabaseError> {
        let Some((to, events)) = self.store.unread(user_id)? else {
            return Ok(Counted { to: self.joined_at(user_id)?, ..Counted::default() });
        };
        let tally = serde_json::from_str(&events)
            .map_err(|error| DatabaseError::corrupt(format!("unread events: {error}")))?;
        Ok(Counted { tally, to, ..Counted::default() })
    }

    /// Where the user came to be joined.
    fn joined_at(&self, user_id: &UserId) -> Result<LogPosition, DatabaseError> {
        let mut joined_at = LogPosition(0);
        let Some(key) = self.store.key("m.room.member", user_id.as_str())? else { return Ok(joined_at) };
        let mut nid = State::current(&self.store)?.nid(key)?;
        for _ in 0..MAX_CHANGES {
            let Some(event) = nid.map(|nid| self.store.event(nid)).transpose()? else { break };
            let is_join = visibility::membership(Some(&event.pdu)) == MembershipState::Join;
            let (Some(position), Some(states), true) = (event.position, event.states, is_join) else { break };
            joined_at = position;
            nid = State::at(&self.store, states.before).nid(key)?;
        }
        Ok(joined_at)
    }

    /// Up to where the user has read, by receipts of both kinds.
    fn read_by(&self, user_id: &UserId) -> Result<Read, DatabaseError> {
        let mut read = Read::default();
        for receipt in self.store.receipts_of(user_id)? {
            read.note(&receipt.thread, receipt.read_up_to);
        }
        Ok(read)
    }

    /// Weighs what came since the last time.
    fn weigh_news(
        &self,
        reader: &Reader,
        view: &View<'_>,
        push_rules: Option<&str>,
        read: &Read,
        counted: &mut Counted,
    ) -> Result<(), DatabaseError> {
        let end = self.store.meta()?.last_position;
        let mut from = counted.to.max(read.everywhere());
        if from >= end {
            return Ok(());
        }
        let oldest = self.store.log_backward(from, end, MAX_WEIGHED)?.last().map(|entry| entry.position);
        from = oldest.map_or(end, |oldest| LogPosition(oldest.0.saturating_sub(1)).max(from));
        let mut scale = None;
        loop {
            let page = self.store.log_forward(from, end, PAGE)?;
            let Some(last) = page.last() else { break };
            from = last.position;
            counted.unwritten = counted.unwritten.saturating_add(page.len());
            for entry in &page {
                if let Some(event) = self.store.event_of(entry)? {
                    let scale = match &mut scale {
                        Some(scale) => scale,
                        none => none.insert(self.scale(&reader.user_id, push_rules)?),
                    };
                    self.weigh(&event, entry.position, view, scale, &mut counted.tally)?;
                }
            }
        }
        counted.to = end;
        if counted.unwritten >= WRITE_AFTER {
            counted.tally.forget_read(read);
            let events = serde_json::to_string(&counted.tally)
                .map_err(|error| DatabaseError::corrupt(format!("unread events: {error}")))?;
            self.store.write(|writer| writer.set_unread(&reader.user_id, end, &events))?;
            counted.unwritten = 0;
        }
        Ok(())
    }

    fn weigh(
        &self,
        event: &StoredEvent,
        position: LogPosition,
        view: &View<'_>,
        scale: &Scale,
        tally: &mut Tally,
    ) -> Result<(), DatabaseError> {
        let rules = self.store.rules()?;
        if event.pdu.event_type() == "m.room.redaction"
            && let Some(target) = event.pdu.redacts(&rules.redaction)
            && let Some(target) = self.store.find_event(&target)?
            && let Some(position) = target.position
        {
            tally.forget(position);
        }
        if self.is_arrival(event, &scale.room.context.user_id)? {
            // What was said before they came, or while they were out, is not theirs to read.
            *tally = Tally::default();
            return Ok(());
        }
        if event.pdu.sender() == scale.room.context.user_id {
            // By sending an event the user has read what was before it.
            tally
                .forget_thread(threads::root_of(&self.store, &event.pdu)?.as_ref().map(|root| root.as_str()));
            return Ok(());
        }
        if event.redacted_by.is_some() || !view.shows(event)? {
            return Ok(());
        }
        if let Some(notification) = push::evaluate(&scale.rules, &event.pdu, &scale.room) {
            let root = threads::root_of(&self.store, &event.pdu)?.map(|root| root.to_string());
            tally.add(position, root, notification.is_highlight);
        }
        Ok(())
    }

    /// Whether a user who was not in the room joins it by an event.
    fn is_arrival(&self, event: &StoredEvent, user_id: &UserId) -> Result<bool, DatabaseError> {
        let joins = event.pdu.is_state("m.room.member", user_id.as_str())
            && visibility::membership(Some(&event.pdu)) == MembershipState::Join;
        let Some(states) = event.states.filter(|_| joins) else { return Ok(false) };
        Ok(State::at(&self.store, states.before).membership(user_id)? != MembershipState::Join)
    }

    /// What events are weighed with.
    fn scale(&self, user_id: &UserId, push_rules: Option<&str>) -> Result<Scale, DatabaseError> {
        let mut rules = Ruleset::server_default(user_id);
        if let Some(changed) = push_rules.and_then(|json| serde_json::from_str::<PushRules>(json).ok()) {
            let defaults = std::mem::replace(&mut rules, changed.global);
            rules.update_with_server_default(defaults);
        }
        let (meta, state) = (self.store.meta()?, State::current(&self.store)?);
        let member = state.get("m.room.member", user_id.as_str())?;
        let name = member.as_ref().and_then(|event| event.content_str("displayname"));
        let context = PushConditionRoomCtx::new(
            meta.room_id.clone(),
            u32::try_from(meta.joined).unwrap_or(u32::MAX).into(),
            user_id.to_owned(),
            name.unwrap_or_default().into_owned(),
        );
        Ok(Scale { rules, room: push::Room { context, levels: state.power_levels()?.ok() } })
    }
}

/// A user's rules, and the room as these see it.
struct Scale {
    rules: Ruleset,
    room: push::Room,
}
