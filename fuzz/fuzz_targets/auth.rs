//! Any list of events, one a line: the first is checked, the others are the state and its auth events.
#![no_main]

use std::{convert::Infallible, rc::Rc};

use libfuzzer_sys::fuzz_target;
use selvedge_protocol::{
    auth::{AuthEvent, AuthState, check_state_dependent, check_state_independent},
    event::Pdu,
    json::{Strictness, canonicalize},
    room_version,
    server_acl::ServerAcl,
};

struct State(Vec<Rc<Pdu>>);

impl AuthState for State {
    type Error = Infallible;

    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, Infallible> {
        Ok(self.0.iter().find(|event| event.is_state(event_type, state_key)).cloned())
    }
}

fn read(index: usize, line: &str) -> Option<Rc<Pdu>> {
    let json = canonicalize(line, Strictness::Lax).ok()?;
    Pdu::from_stored(format!("${index}:a").try_into().ok()?, json).ok().map(Rc::new)
}

fuzz_target!(|input: (u8, &str)| {
    let (version, text) = input;
    let version = &room_version::SUPPORTED[usize::from(version) % room_version::SUPPORTED.len()];
    let Some(rules) = room_version::rules(version) else { return };
    let mut events = text.lines().enumerate().filter_map(|(index, line)| read(index, line));
    let Some(event) = events.next() else { return };
    let state = State(events.collect());
    let auth: Vec<_> = state.0.iter().map(|pdu| AuthEvent { pdu, rejected: false }).collect();
    let create = auth.iter().find(|auth| auth.pdu.is_state("m.room.create", "")).copied();
    let _ = check_state_independent(&rules.authorization, &event, &auth, create);
    let _ = check_state_dependent(&rules.authorization, &event, &state);
    let _ = ServerAcl::new(&event).allows(event.sender().server_name());
});
