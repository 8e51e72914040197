//! The little of a room's state that those see who are asked in. [C-S §8.4, stripped state]

use crate::event::Pdu;

/// The types, each with an empty state key, of the events in stripped state.
pub const STRIPPED_STATE_TYPES: [&str; 7] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
];

/// A state event as clients see it in stripped state: content, sender, state key and type.
///
/// `None` for an event that is not state.
pub fn strip(event: &Pdu) -> Option<String> {
    event.state_key()?;
    let mut out = String::from("{");
    for (key, value) in event.object() {
        if ["content", "sender", "state_key", "type"].iter().any(|name| key.is(name)) {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(key.text());
            out.push(':');
            out.push_str(value.text());
        }
    }
    out.push('}');
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_stripped_event_has_four_members_and_is_state() {
        let common =
            r#""auth_events":[],"content":{"name":"Tea"},"depth":1,"origin_server_ts":1,"prev_events":[]"#;
        let event = |state_key: &str| {
            let rest = format!(r#""room_id":"!r:a","sender":"@a:a",{state_key}"type":"m.room.name""#);
            Pdu::from_stored("$a".try_into().unwrap(), format!("{{{common},{rest}}}")).unwrap()
        };
        assert_eq!(
            strip(&event(r#""state_key":"","#)).unwrap(),
            r#"{"content":{"name":"Tea"},"sender":"@a:a","state_key":"","type":"m.room.name"}"#
        );
        assert_eq!(strip(&event("")), None);
    }
}
