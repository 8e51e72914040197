//! Any text as an event of any room version: what parses can be stored, redacted and verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_protocol::{
    event::{Pdu, Verification},
    relations, room_version, stripped_state,
};

fuzz_target!(|input: (u8, &str)| {
    let (version, text) = input;
    let version = &room_version::SUPPORTED[usize::from(version) % room_version::SUPPORTED.len()];
    let Some(rules) = room_version::rules(version) else { return };
    let Ok(event) = Pdu::parse(text, &rules) else { return };
    let stored = Pdu::from_stored(event.event_id().to_owned(), event.json());
    assert_eq!(stored.as_ref(), Ok(&event));
    let redacted = event.redacted(&rules.redaction);
    assert_eq!(redacted.redacted(&rules.redaction), redacted);
    assert_eq!(Pdu::parse(event.json(), &rules).as_ref(), Ok(&event));
    let _ = (relations::relation(&event), stripped_state::strip(&event), event.redacts(&rules.redaction));
    if let Ok(verification) = Verification::new(event, &rules) {
        let _ = verification.verify(|_| Some([0; 32]));
    }
});
