//! The authorisation checks of an event `[S-S §5.1.1, checks performed on receipt of a PDU]`.

use std::rc::Rc;

use selvedge_protocol::{
    auth::{AuthError, AuthEvent, AuthState, Rejection, check_state_dependent, check_state_independent},
    event::Pdu,
    nid::EventNid,
    state_tree::StateRoot,
};

use super::Session;
use crate::{
    database::DatabaseError,
    room::{
        state::State,
        store::{Standing, Store, StoredEvent},
    },
};

/// What a check found: `Some` is the rule that the event breaks.
pub(super) type Verdict = Option<Rejection>;

fn verdict(outcome: Result<(), AuthError<DatabaseError>>) -> Result<Verdict, DatabaseError> {
    match outcome {
        Ok(()) => Ok(None),
        Err(AuthError::Rejected(rejection)) => Ok(Some(rejection)),
        Err(AuthError::State(error)) => Err(error),
    }
}

/// The state that an event's own auth events make, with the create event, which since room version
/// 12 is not among them.
struct AuthEventsState<'a> {
    events: &'a [Rc<StoredEvent>],
    create: Option<&'a Rc<StoredEvent>>,
}

impl AuthState for AuthEventsState<'_> {
    type Error = DatabaseError;

    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, DatabaseError> {
        let mut events = self.events.iter().chain(self.create);
        Ok(events.find(|event| event.pdu.is_state(event_type, state_key)).map(|event| Rc::clone(&event.pdu)))
    }
}

/// The members that an event names in its auth events, where a state is known to lack members: until the state is
/// whole, an event is believed as to those of whom the state says nothing, and decided about anew then.
pub(super) type Claims<'a> = &'a [Rc<StoredEvent>];

/// A state that may lack members.
struct PartialState<'a> {
    state: State,
    claims: Option<Claims<'a>>,
}

impl AuthState for PartialState<'_> {
    type Error = DatabaseError;

    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, DatabaseError> {
        let known = self.state.get(event_type, state_key)?;
        let Some(claims) = self.claims.filter(|_| known.is_none() && event_type == "m.room.member") else {
            return Ok(known);
        };
        let claimed = claims
            .iter()
            .find(|claim| claim.pdu.is_state(event_type, state_key) && claim.standing != Standing::Rejected);
        Ok(claimed.map(|claim| Rc::clone(&claim.pdu)))
    }
}

impl Session<'_, '_> {
    /// Step 4: against the event's auth events, which are `auth` in any order.
    pub(super) fn check_by_auth_events(
        &self,
        pdu: &Pdu,
        auth: &[Rc<StoredEvent>],
    ) -> Result<Verdict, DatabaseError> {
        let create = self.meta.create.map(|nid| self.writer.event(nid)).transpose()?;
        if pdu.is_state("m.room.create", "")
            && create.as_ref().is_some_and(|create| create.pdu.event_id() != pdu.event_id())
        {
            return Ok(Some(Rejection::CreateHasPrevEvents));
        }
        let named: Vec<_> = auth.iter().map(known).collect();
        let rules = &self.rules.authorization;
        if let Err(rejection) = check_state_independent(rules, pdu, &named, create.as_ref().map(known)) {
            return Ok(Some(rejection));
        }
        verdict(check_state_dependent(rules, pdu, &AuthEventsState { events: auth, create: create.as_ref() }))
    }

    /// Steps 5 and 6: against the state at a root. With `claims`, the state lacks members.
    pub(super) fn check_by_state(
        &self,
        pdu: &Pdu,
        root: StateRoot,
        claims: Option<Claims<'_>>,
    ) -> Result<Verdict, DatabaseError> {
        let state = PartialState { state: State::at(self.writer, root), claims };
        verdict(check_state_dependent(&self.rules.authorization, pdu, &state))
    }

    /// One more than the largest generation among auth events; 0 without any.
    pub(super) fn generation(auth: &[Rc<StoredEvent>]) -> u32 {
        auth.iter().map(|event| event.generation.saturating_add(1)).max().unwrap_or(0)
    }
}

fn known(event: &Rc<StoredEvent>) -> AuthEvent<'_> {
    AuthEvent { pdu: &event.pdu, rejected: event.standing == Standing::Rejected }
}

/// The numbers of events.
pub(super) fn nids(events: &[Rc<StoredEvent>]) -> Vec<EventNid> {
    events.iter().map(|event| event.nid).collect()
}

/// Finds the auth events of an event; those that are not here are returned as the error.
pub(super) fn find_auth_events(
    store: &Store,
    pdu: &Pdu,
) -> Result<Result<Vec<Rc<StoredEvent>>, Vec<ruma::OwnedEventId>>, DatabaseError> {
    let mut found = Vec::with_capacity(pdu.auth_events().len());
    let mut missing = Vec::new();
    for id in pdu.auth_events() {
        match store.find_event(id)?.filter(|event| event.standing != Standing::Unchecked) {
            Some(event) => found.push(event),
            None => missing.push(id.clone()),
        }
    }
    Ok(if missing.is_empty() { Ok(found) } else { Err(missing) })
}
