//! *Iterative auth checks*. [rooms v2, state resolution, definitions]

use std::{collections::BTreeMap, rc::Rc};

use ruma::room_version_rules::AuthorizationRules;

use super::{AuthNode, ResolveStore, conflict::Conflict, facts::Facts};
use crate::{
    auth::{AuthError, AuthState, check_state_dependent},
    event::Pdu,
    nid::{EventNid, StateKeyNid},
};

/// A partially resolved state: what was decided so far over the unconflicted state, or over nothing.
pub(super) struct PartialState<'a, S: ResolveStore> {
    facts: &'a Facts<'a, S>,
    below: Option<&'a Conflict>,
    decided: BTreeMap<StateKeyNid, EventNid>,
}

impl<'a, S: ResolveStore> PartialState<'a, S> {
    /// Starts from the unconflicted state, or from the empty state where `below` is `None`.
    pub fn new(facts: &'a Facts<'a, S>, below: Option<&'a Conflict>) -> Self {
        Self { facts, below, decided: BTreeMap::new() }
    }

    /// The event that the state has for a key.
    pub fn get(&self, key: StateKeyNid) -> Result<Option<EventNid>, S::Error> {
        match (self.decided.get(&key), self.below) {
            (Some(event), _) => Ok(Some(*event)),
            (None, Some(conflict)) => conflict.unconflicted(self.facts.store, key),
            (None, None) => Ok(None),
        }
    }

    /// Puts an event into the state, whatever the rules say.
    pub fn set(&mut self, key: StateKeyNid, event: EventNid) {
        self.decided.insert(key, event);
    }

    /// Takes back what was put in for a key.
    pub fn clear(&mut self, key: StateKeyNid) {
        self.decided.remove(&key);
    }

    /// What was decided, over what was there at the start.
    pub fn into_decided(self) -> BTreeMap<StateKeyNid, EventNid> {
        self.decided
    }

    /// Applies those of the events, in their order, that the state allows by then.
    ///
    /// State that a check needs and that is not there yet is taken from the event's own auth events, unless rejected.
    /// `create` is the room's create event, which since room version 12 is in no `auth_events`.
    pub fn apply_allowed(
        &mut self,
        rules: &AuthorizationRules,
        events: &[EventNid],
        create: Option<EventNid>,
    ) -> Result<(), S::Error> {
        for event in events {
            let node = self.facts.node(*event)?;
            let key = node.key;
            if self.allows(rules, *event, &AuthOf { state: self, fallback: Some(&node), create })? {
                self.set(key, *event);
            }
        }
        Ok(())
    }

    /// Whether this state alone allows the event.
    pub fn allows_alone(&self, rules: &AuthorizationRules, event: EventNid) -> Result<bool, S::Error> {
        self.allows(rules, event, &AuthOf { state: self, fallback: None, create: None })
    }

    fn allows(
        &self,
        rules: &AuthorizationRules,
        event: EventNid,
        state: &AuthOf<'_, S>,
    ) -> Result<bool, S::Error> {
        let event = self.facts.event(event)?;
        match check_state_dependent(rules, &event, state) {
            Ok(()) => Ok(true),
            Err(AuthError::Rejected(_)) => Ok(false),
            Err(AuthError::State(error)) => Err(error),
        }
    }
}

/// The state that one event is checked against.
struct AuthOf<'a, S: ResolveStore> {
    state: &'a PartialState<'a, S>,
    /// The event whose auth events stand in for what the state lacks.
    fallback: Option<&'a AuthNode>,
    create: Option<EventNid>,
}

impl<S: ResolveStore> AuthOf<'_, S> {
    /// The event for a key that is not rejected: the state's, or else the fallback's.
    fn find(&self, key: StateKeyNid) -> Result<Option<EventNid>, S::Error> {
        let facts = self.state.facts;
        if let Some(event) = self.state.get(key)?
            && (self.fallback.is_none() || !facts.node(event)?.rejected)
        {
            return Ok(Some(event));
        }
        let Some(fallback) = self.fallback else { return Ok(None) };
        let found = facts.auth_event_with_key(fallback, key)?;
        let found = found.filter(|(_, node)| !node.rejected).map(|(event, _)| event);
        Ok(found.or_else(|| self.create.filter(|_| Some(key) == facts.create_key)))
    }
}

impl<S: ResolveStore> AuthState for AuthOf<'_, S> {
    type Error = S::Error;

    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, S::Error> {
        let facts = self.state.facts;
        let Some(key) = facts.store.state_key(event_type, state_key)? else { return Ok(None) };
        self.find(key)?.map(|event| facts.event(event)).transpose()
    }
}
