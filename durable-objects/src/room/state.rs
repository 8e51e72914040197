//! Room state, as it is at some root.

use std::rc::Rc;

use ruma::{UserId, events::room::member::MembershipState};
use selvedge_protocol::{
    auth::{AuthState, PowerLevels, Rejection, RoomCreate},
    event::Pdu,
    nid::{EventNid, StateKeyNid},
    state_tree::{self, StateRoot},
    visibility,
};

use super::store::{Store, StoredEvent};
use crate::database::DatabaseError;

/// The room's state at a root.
#[derive(Clone)]
pub struct State {
    store: Store,
    root: StateRoot,
}

impl State {
    /// The state at `root`.
    pub fn at(store: &Store, root: StateRoot) -> Self {
        Self { store: store.clone(), root }
    }

    /// The room's current state; empty for a room that is not known.
    pub fn current(store: &Store) -> Result<Self, DatabaseError> {
        let root = store.find_meta()?.map_or(StateRoot::EMPTY, |meta| meta.root);
        Ok(Self::at(store, root))
    }

    /// The root.
    pub fn root(&self) -> StateRoot {
        self.root
    }

    /// The event for a type and state key.
    pub fn event(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let Some(key) = self.store.key(event_type, state_key)? else { return Ok(None) };
        self.nid(key)?.map(|nid| self.store.event(nid)).transpose()
    }

    /// The member event of an event's sender. Where members are missing from the state, the one that the event names as
    /// what authorises it.
    pub fn member_of_sender(&self, event: &StoredEvent) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let sender = event.pdu.sender().as_str();
        let known = self.event("m.room.member", sender)?;
        if known.is_some() || !self.store.meta()?.is_partial {
            return Ok(known);
        }
        for nid in event.auth_events.iter() {
            let named = self.store.event(*nid)?;
            if named.pdu.is_state("m.room.member", sender) {
                return Ok(Some(named));
            }
        }
        Ok(None)
    }

    /// The number of the event for an interned key.
    pub fn nid(&self, key: StateKeyNid) -> Result<Option<EventNid>, DatabaseError> {
        state_tree::get(&self.store, self.root, key)
    }

    /// All entries, by number, holding little of them in memory at a time.
    pub fn entries(&self) -> impl Iterator<Item = Result<(StateKeyNid, EventNid), DatabaseError>> + '_ {
        state_tree::entries(&self.store, self.root)
    }

    /// All state events. For rooms with many members: [`State::entries`] and [`Store::event`].
    pub fn all(&self) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
        self.entries().map(|entry| self.store.event(entry?.1)).collect()
    }

    /// Up to `limit` events of a type, after the state key `after`, in the order of their state keys.
    /// Fewer are returned only where there are no more.
    pub fn of_type(
        &self,
        event_type: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
        const PAGE: u32 = 500;
        let mut events = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let keys = self.store.keys_of_type(event_type, after.as_deref(), PAGE)?;
            for key in &keys {
                if events.len() >= limit {
                    return Ok(events);
                }
                if let Some(nid) = self.nid(key.nid)? {
                    events.push(self.store.event(nid)?);
                }
            }
            match keys.into_iter().next_back() {
                Some(last) => after = Some(last.state_key),
                None => return Ok(events),
            }
        }
    }

    /// A user's membership; `leave` for one who was never in the room.
    pub fn membership(&self, user_id: &UserId) -> Result<MembershipState, DatabaseError> {
        let Some(key) = self.store.key("m.room.member", user_id.as_str())? else {
            return Ok(MembershipState::Leave);
        };
        let Some(nid) = self.nid(key)? else { return Ok(MembershipState::Leave) };
        let membership = self.store.membership_of(nid)?;
        Ok(membership.map_or(MembershipState::Leave, |membership| MembershipState::from(&*membership)))
    }

    /// Who may do what. The inner error: the create event is missing, or power levels cannot be read.
    pub fn power_levels(&self) -> Result<Result<PowerLevels, Rejection>, DatabaseError> {
        let rules = self.store.rules()?;
        let Some(create) = self.get("m.room.create", "")? else { return Ok(Err(Rejection::NoCreate)) };
        let levels = self.get("m.room.power_levels", "")?;
        Ok(PowerLevels::new(&rules.authorization, RoomCreate::new(create), levels))
    }

    /// The room as `user_id` stands to it here: what [`visibility::user_may_see`] wants of the state
    /// before an event.
    pub fn standing(&self, user_id: &UserId) -> Result<visibility::Standing, DatabaseError> {
        let history = self.get("m.room.history_visibility", "")?;
        Ok(visibility::Standing {
            visibility: visibility::history_visibility(history.as_deref()),
            membership: self.membership(user_id)?,
        })
    }
}

impl AuthState for State {
    type Error = DatabaseError;

    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, DatabaseError> {
        Ok(self.event(event_type, state_key)?.map(|event| Rc::clone(&event.pdu)))
    }
}
