//! The state that a client lacks.
//!
//! Without `use_state_after` a client has the state that it had, then what `state` says, then what the events of the
//! timeline say. The end of that must be the room's state. So `state` holds what the room's state has anew, but for
//! what the timeline sets; for that, what was there before the timeline.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    rc::Rc,
};

use ruma::events::room::member::MembershipState;
use selvedge_protocol::{
    nid::{EventNid, StateKeyNid},
    state_tree::{self, StateRoot},
};

use super::{Pull, State, Timeline, lets_through, summary::is_summarised};
use crate::{database::DatabaseError, room::store::StoredEvent, rpc::room::RoomSection};

const MEMBER: &str = "m.room.member";

/// The keys for which the room's state is not what the client has.
#[derive(Debug, Default)]
pub struct Changes {
    /// The events that the room has for them. Of members in a room that is new to a client that loads them
    /// lazily there are none here.
    pub events: BTreeMap<StateKeyNid, EventNid>,
    /// Whether anything may have changed of which the summary speaks.
    pub any_summarised: bool,
}

impl Pull<'_> {
    /// What is not as the client has it, at the end of the timeline.
    pub fn changes(&self, timeline: &Timeline) -> Result<Changes, DatabaseError> {
        let mut changes = self.changes_of_state(timeline)?;
        if self.section == RoomSection::Leave {
            self.add_own_member(&mut changes)?;
        }
        Ok(changes)
    }

    fn changes_of_state(&self, timeline: &Timeline) -> Result<Changes, DatabaseError> {
        let store = &self.engine.store;
        let (known, now) = (self.known_root()?, self.state_at_end()?.root());
        let is_new = known == StateRoot::EMPTY;
        let mut changes = Changes { any_summarised: is_new, ..Changes::default() };
        if known == now {
            return Ok(changes);
        }
        if is_new && self.is_lazy() {
            let state = State::at(store, now);
            for key in store.keys_of_other_types(MEMBER)? {
                if let Some(nid) = state.nid(key)? {
                    changes.events.insert(key, nid);
                }
            }
            self.add_members_of_gap(now, &mut changes)?;
            return Ok(changes);
        }
        let mut before = known;
        if self.is_lazy() && self.true_root()? != known {
            // Members of whom the client was not told, for they were not known, are still there for it to ask for.
            before = self.true_root()?;
            self.add_changes_of_other_state(known, now, &mut changes)?;
            changes.any_summarised = true;
        }
        for difference in state_tree::diff(store, before, now)? {
            if let Some(nid) = difference.right {
                changes.events.insert(difference.key, nid);
            }
        }
        if !is_new {
            let of_timeline = timeline.events.iter().any(|event| is_summarised(event));
            changes.any_summarised |= of_timeline || self.has_summarised(changes.events.values())?;
        }
        Ok(changes)
    }

    /// A client that did not hear that the user was out keeps the members that it has: it is told of those who changed.
    fn add_members_of_gap(&self, now: StateRoot, changes: &mut Changes) -> Result<(), DatabaseError> {
        let store = &self.engine.store;
        let Some(before) = self.asked.before else { return Ok(()) };
        let before = State::at(store, store.root_at(before)?);
        if before.membership(&self.asked.reader.user_id)? == MembershipState::Join {
            let differences = state_tree::diff(store, before.root(), now)?;
            let changed = differences.into_iter().filter_map(|of| Some((of.key, of.right?)));
            changes.events.extend(changed);
        }
        Ok(())
    }

    /// Who is out is told how they stand now, though that came after the state that they may know: an invitation
    /// that they declined, a ban after they had left.
    fn add_own_member(&self, changes: &mut Changes) -> Result<(), DatabaseError> {
        let store = &self.engine.store;
        let Some(key) = store.key(MEMBER, self.asked.reader.user_id.as_str())? else { return Ok(()) };
        let at = |position| State::at(store, store.root_at(position)?).nid(key);
        let known = self.asked.from.filter(|_| !self.asked.full_state).map(at).transpose()?.flatten();
        let now = at(self.end)?;
        if now != known {
            changes.events.extend(now.map(|nid| (key, nid)));
        }
        Ok(())
    }

    fn add_changes_of_other_state(
        &self,
        known: StateRoot,
        now: StateRoot,
        changes: &mut Changes,
    ) -> Result<(), DatabaseError> {
        let store = &self.engine.store;
        let (known, now) = (State::at(store, known), State::at(store, now));
        for key in store.keys_of_other_types(MEMBER)? {
            let nid = now.nid(key)?;
            if nid != known.nid(key)? {
                changes.events.extend(nid.map(|nid| (key, nid)));
            }
        }
        Ok(())
    }

    fn has_summarised<'e>(
        &self,
        mut nids: impl Iterator<Item = &'e EventNid>,
    ) -> Result<bool, DatabaseError> {
        nids.try_fold(false, |found, nid| Ok(found || is_summarised(&*self.engine.store.event(*nid)?)))
    }

    /// The events of `state`, or of `state_after`.
    pub fn state(
        &self,
        timeline: &Timeline,
        changes: Changes,
        heroes: &[String],
    ) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
        let store = &self.engine.store;
        let now = self.state_at_end()?;
        let mut wanted = changes.events;
        let mut unchanged = self.add_lazy_members(&now, timeline, heroes, &mut wanted)?;
        if !self.asked.use_state_after && !timeline.events.is_empty() {
            self.go_back_to_start(timeline, &mut wanted, &mut unchanged)?;
        }
        let redundant = if self.is_lazy() { self.already_sent(unchanged) } else { BTreeSet::new() };
        let mut state = Vec::new();
        for nid in wanted.into_values() {
            let event = store.event(nid)?;
            if lets_through(&self.asked.state, &event.pdu) && !redundant.contains(&nid) {
                state.push(event);
            }
        }
        Ok(state)
    }

    /// Puts what was before the timeline in the place of what the timeline sets.
    fn go_back_to_start(
        &self,
        timeline: &Timeline,
        wanted: &mut BTreeMap<StateKeyNid, EventNid>,
        unchanged: &mut BTreeSet<EventNid>,
    ) -> Result<(), DatabaseError> {
        let store = &self.engine.store;
        let known = State::at(store, self.known_root()?);
        let before = State::at(store, store.root_at(timeline.start)?);
        let mut senders = BTreeSet::new();
        for event in &timeline.events {
            let has_spoken = event.pdu.state_key().is_some_and(|user| senders.contains(user));
            senders.insert(event.pdu.sender().as_str());
            let Some(key) = event.key else { continue };
            wanted.remove(&key);
            let Some(nid) = before.nid(key)? else { continue };
            if known.nid(key)? != Some(nid) {
                wanted.insert(key, nid);
            } else if self.is_lazy() && has_spoken && event.pdu.event_type() == MEMBER {
                // A sender is shown as the member that they were then, of whom this client may not know.
                wanted.insert(key, nid);
                unchanged.insert(nid);
            }
        }
        Ok(())
    }

    /// Adds the members that a client which loads them lazily needs to show the answer `[C-S §6.5]`. Returns those
    /// of them that it may have got before.
    fn add_lazy_members(
        &self,
        now: &State,
        timeline: &Timeline,
        heroes: &[String],
        wanted: &mut BTreeMap<StateKeyNid, EventNid>,
    ) -> Result<BTreeSet<EventNid>, DatabaseError> {
        if !self.is_lazy() {
            return Ok(BTreeSet::new());
        }
        let mut unchanged = BTreeSet::new();
        let mut users: BTreeSet<&str> =
            timeline.events.iter().map(|event| event.pdu.sender().as_str()).collect();
        users.extend(heroes.iter().map(String::as_str));
        if self.known_root()? == StateRoot::EMPTY {
            users.insert(self.asked.reader.user_id.as_str());
        }
        for user in users {
            let Some(key) = self.engine.store.key(MEMBER, user)? else { continue };
            let Some(nid) = now.nid(key)? else { continue };
            if let Entry::Vacant(place) = wanted.entry(key) {
                place.insert(nid);
                unchanged.insert(nid);
            }
        }
        // Of those whom the state lacks, for not all of it is here, the one that the event names.
        for event in timeline.events.iter().filter(|_| self.meta.is_partial) {
            let Some(key) = self.engine.store.key(MEMBER, event.pdu.sender().as_str())? else { continue };
            if now.nid(key)?.is_none()
                && let Some(member) = now.member_of_sender(event)?
                && wanted.insert(key, member.nid).is_none()
            {
                unchanged.insert(member.nid);
            }
        }
        Ok(unchanged)
    }
}
