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
