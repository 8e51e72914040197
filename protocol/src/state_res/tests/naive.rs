//! The specification's definitions, word for word over whole states: nothing here is quick.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ruma::{EventId, OwnedEventId, room_version_rules::AuthorizationRules};
use sha1::{Digest, Sha1};

use super::simulation::State;
use crate::{auth::check_state_dependent, event::Pdu, nid::EventNid, testing::MemoryRoom};

/// The auth events of all events of a room, by id.
pub struct Chains(BTreeMap<OwnedEventId, BTreeSet<OwnedEventId>>);

impl Chains {
    /// The auth chain of each event. Events come after their auth events.
    pub fn of(room: &MemoryRoom) -> Self {
        let mut chains: BTreeMap<OwnedEventId, BTreeSet<OwnedEventId>> = BTreeMap::new();
        for (_, event, _) in room.events() {
            let mut chain: BTreeSet<OwnedEventId> = event.auth_events().iter().cloned().collect();
            chain.extend(event.auth_events().iter().flat_map(|id| chains[id].iter().cloned()));
            chains.insert(event.event_id().to_owned(), chain);
        }
        Self(chains)
    }

    pub fn of_event(&self, event: &EventId) -> &BTreeSet<OwnedEventId> {
        &self.0[event]
    }

    /// The full auth chain of a state: its events and their chains.
    pub fn of_state<'a>(&self, state: impl IntoIterator<Item = &'a EventId>) -> BTreeSet<OwnedEventId> {
        state.into_iter().flat_map(|id| self.of_event(id).iter().cloned().chain([id.to_owned()])).collect()
    }

    /// Every event on a path between two of the events.
    pub fn subgraph(&self, conflicted: &BTreeSet<OwnedEventId>) -> BTreeSet<OwnedEventId> {
        let on_path = |id: &EventId| {
            let above = conflicted.contains(id) || conflicted.iter().any(|from| self.0[from].contains(id));
            let below = conflicted.contains(id) || conflicted.iter().any(|to| self.0[id].contains(to));
            above && below
        };
        self.0.keys().filter(|id| on_path(id)).cloned().collect()
    }
}

/// What is in the chains of some states, but not of all.
pub fn auth_difference(room: &MemoryRoom, states: &[BTreeSet<EventNid>]) -> BTreeSet<EventNid> {
    let chains = Chains::of(room);
    let ids: BTreeMap<EventNid, OwnedEventId> =
        room.events().map(|(nid, event, _)| (nid, event.event_id().to_owned())).collect();
    let chains: Vec<_> =
        states.iter().map(|state| chains.of_state(state.iter().map(|nid| ids[nid].as_ref()))).collect();
    let union: BTreeSet<OwnedEventId> = chains.iter().flatten().cloned().collect();
    let in_all = |id: &OwnedEventId| chains.iter().all(|chain| chain.contains(id));
    union.iter().filter(|id| !in_all(id)).map(|id| room.nid(id).unwrap()).collect()
}

/// State resolution version 1.
pub fn resolve_v1(rules: &AuthorizationRules, states: &[State]) -> State {
    let mut resolved = State::new();
    let mut conflicts: BTreeMap<(String, String), Vec<Rc<Pdu>>> = BTreeMap::new();
    let keys: BTreeSet<&(String, String)> = states.iter().flat_map(BTreeMap::keys).collect();
    for key in keys {
        let mut events: Vec<Rc<Pdu>> = states.iter().filter_map(|state| state.get(key).cloned()).collect();
        events.sort_by_key(|event| event.event_id().to_owned());
        events.dedup_by_key(|event| event.event_id().to_owned());
        if events.len() == 1 {
            resolved.insert(key.clone(), Rc::clone(&events[0]));
        } else {
            events.sort_by_key(|event| {
                (event.depth(), Reverse(<[u8; 20]>::from(Sha1::digest(event.event_id().as_str()))))
            });
            conflicts.insert(key.clone(), events);
        }
    }
    for event_type in ["m.room.power_levels", "m.room.join_rules", "m.room.member"] {
        let before = resolved.clone();
        for (key, events) in conflicts.iter().filter(|(key, _)| key.0 == event_type) {
            let mut state = before.clone();
            state.insert(key.clone(), Rc::clone(&events[0]));
            for event in &events[1..] {
                if check_state_dependent(rules, event, &state).is_err() {
                    break;
                }
                state.insert(key.clone(), Rc::clone(event));
            }
            resolved.insert(key.clone(), Rc::clone(&state[key]));
        }
        conflicts.retain(|key, _| key.0 != event_type);
    }
    let before = resolved.clone();
    for (key, events) in conflicts {
        let allowed = |event: &&Rc<Pdu>| check_state_dependent(rules, event, &before).is_ok();
        if let Some(event) = events.iter().rev().find(allowed) {
            resolved.insert(key, Rc::clone(event));
        }
    }
    resolved
}
