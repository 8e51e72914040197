//! Which events a client's filter lets through `[C-S §6.3]`.

use ruma::{
    OwnedRoomId, RoomId,
    api::client::filter::{RoomEventFilter, UrlFilter},
};
use selvedge_protocol::event::Pdu;
use serde_json::{Map, Value};

/// Whether a filter lets an event through.
pub fn lets_through(filter: &RoomEventFilter, event: &Pdu) -> bool {
    let has_url = || event.content_str("url").is_some();
    lets_room_through(filter, event.room_id())
        && lets_type_through(filter, event.event_type())
        && filter.senders.as_ref().is_none_or(|senders| senders.iter().any(|of| of == event.sender()))
        && !filter.not_senders.iter().any(|of| of == event.sender())
        && match filter.url_filter {
            None => true,
            Some(UrlFilter::EventsWithUrl) => has_url(),
            Some(UrlFilter::EventsWithoutUrl) => !has_url(),
        }
}

/// Whether a filter lets anything of a room through.
pub fn lets_room_through(filter: &RoomEventFilter, room_id: &RoomId) -> bool {
    let has = |rooms: &[OwnedRoomId]| rooms.iter().any(|room| room == room_id);
    !has(&filter.not_rooms) && filter.rooms.as_deref().is_none_or(has)
}

/// Whether a filter lets events of a type through.
pub fn lets_type_through(filter: &RoomEventFilter, event_type: &str) -> bool {
    let has = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, event_type));
    !has(&filter.not_types) && filter.types.as_deref().is_none_or(has)
}

/// Whether a pattern, in which `*` stands for any text, matches a type.
pub fn matches(pattern: &str, event_type: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == event_type };
    let Some(mut text) = event_type.strip_prefix(start) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    true
}

/// The event in `json` with those of its members only that `fields` name, each as a path of keys with dots in
/// between (`\\.` for a dot within a key). What clients cannot do without stays. `None` when it is not JSON.
pub fn pick_fields(fields: &[String], json: &str) -> Option<String> {
    const ALWAYS: [&str; 5] = ["event_id", "room_id", "sender", "state_key", "type"];
    let event: Map<String, Value> = serde_json::from_str(json).ok()?;
    let mut picked = Map::new();
    for field in ALWAYS {
        if let Some(value) = event.get(field) {
            picked.insert(field.to_owned(), value.clone());
        }
    }
    for field in fields {
        pick(&path(field), &event, &mut picked);
    }
    serde_json::to_string(&picked).ok()
}

fn pick(path: &[String], from: &Map<String, Value>, to: &mut Map<String, Value>) {
    let Some((key, rest)) = path.split_first() else { return };
    let Some(value) = from.get(key) else { return };
    match value {
        _ if rest.is_empty() => {
            to.insert(key.clone(), value.clone());
        }
        Value::Object(inner) => {
            let entry = to.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(entry) = entry {
                pick(rest, inner, entry);
            }
        }
        _ => {}
    }
}

/// The keys of a path.
fn path(field: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '.' => {
                keys.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(key) = keys.last_mut() {
            key.push(literal);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn fields_are_picked_by_their_paths() {
        let event = r#"{"type":"t","content":{"body":"b","m.relates_to":{"key":"k"},"other":1},"age":1}"#;
        let fields =
            ["content.body".to_owned(), r"content.m\.relates_to.key".to_owned(), "none.at.all".to_owned()];
        let picked: Value = serde_json::from_str(&pick_fields(&fields, event).unwrap()).unwrap();
        let expected =
            serde_json::json!({"type": "t", "content": {"body": "b", "m.relates_to": {"key": "k"}}});
        assert_eq!(picked, expected);
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("m.room.message", "m.room.message", true),
            ("m.room.message", "m.room.messages", false),
            ("*", "", true),
            ("*", "anything", true),
            ("m.*", "m.room.name", true),
            ("m.*", "org.m.room", false),
            ("*.name", "m.room.name", true),
            ("*.name", "m.room.names", false),
            ("m.*.name", "m.room.name", true),
            ("m.*.name", "m.name", false),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a**a", "a", false),
            ("a**a", "aa", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
