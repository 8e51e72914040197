//! Which events a client's filter lets through `[C-S §6.3]`.

use ruma::{
    OwnedRoomId, RoomId,
    api::client::filter::{RoomEventFilter, UrlFilter},
};
use selvedge_protocol::event::Pdu;

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

#[cfg(test)]
mod tests {
    use super::*;

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
