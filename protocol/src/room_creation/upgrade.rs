//! What a room hands on to the room that replaces it. [C-S §11.32, room upgrades]

use ruma::{OwnedUserId, RoomAliasId, ServerName, room_version_rules::AuthorizationRules};
use serde_json::{Map, Value, json};

/// The types of state, each with an empty state key, that the new room takes over. Power levels go last: until then its
/// creator may do everything.
pub const TRANSFERRED_STATE: [&str; 10] = [
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.power_levels",
];

/// The content of the new room's `m.room.create`, but for what its version adds.
///
/// `old` is that of the old room; `predecessor` its id and last event.
pub fn upgraded_create(
    old: &Map<String, Value>,
    predecessor: (&str, &str),
    rules: &AuthorizationRules,
    additional_creators: &[OwnedUserId],
) -> Map<String, Value> {
    let mut content = old.clone();
    for member in ["creator", "room_version", "predecessor", "additional_creators"] {
        content.remove(member);
    }
    let (room_id, event_id) = predecessor;
    let predecessor = if rules.room_create_event_id_as_room_id {
        json!({ "room_id": room_id })
    } else {
        json!({ "room_id": room_id, "event_id": event_id })
    };
    content.insert("predecessor".to_owned(), predecessor);
    if rules.additional_room_creators && !additional_creators.is_empty() {
        content.insert("additional_creators".to_owned(), json!(additional_creators));
    }
    content
}

/// The content of the new room's `m.room.power_levels`, from that of the old room.
///
/// Where creators are above all numbers, they have none; else who makes the new room has 100, if they had none before.
pub fn upgraded_power_levels(
    old: &Map<String, Value>,
    rules: &AuthorizationRules,
    creator: &OwnedUserId,
    additional_creators: &[OwnedUserId],
) -> Value {
    let mut content = old.clone();
    if rules.integer_power_levels {
        content.values_mut().for_each(make_integers);
    }
    let users = content.entry("users").or_insert_with(|| json!({}));
    if let Some(users) = users.as_object_mut() {
        if rules.explicitly_privilege_room_creators {
            users.remove(creator.as_str());
            for creator in additional_creators {
                users.remove(creator.as_str());
            }
        } else {
            users.entry(creator.as_str()).or_insert_with(|| json!(100));
        }
    }
    if rules.explicitly_privilege_room_creators {
        raise_tombstone(&mut content);
    }
    Value::Object(content)
}

/// Old room versions take strings of numbers as levels, newer ones do not.
fn make_integers(level: &mut Value) {
    if let Value::Object(levels) = level {
        levels.values_mut().for_each(make_integers);
    } else if let Some(number) = integer(level) {
        *level = json!(number);
    }
}

fn integer(level: &Value) -> Option<i64> {
    level.as_i64().or_else(|| level.as_str()?.trim().parse().ok())
}

/// Divides the content of the old room's `m.room.canonical_alias`: what of it goes to the new room, for this server can
/// move its own aliases only, and what stays. `None` where nothing goes.
pub fn divided_aliases(
    old: &Map<String, Value>,
    server: &ServerName,
) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let is_own = |alias: &Value| {
        let alias = alias.as_str().and_then(|alias| <&RoomAliasId>::try_from(alias).ok());
        alias.is_some_and(|alias| alias.server_name() == server)
    };
    let (mut new, mut rest) = (old.clone(), old.clone());
    let canonical = if old.get("alias").is_some_and(is_own) { &mut rest } else { &mut new };
    canonical.remove("alias");
    if let Some(others) = old.get("alt_aliases").and_then(Value::as_array) {
        let (moved, kept): (Vec<Value>, Vec<Value>) = others.iter().cloned().partition(is_own);
        for (content, aliases) in [(&mut new, moved), (&mut rest, kept)] {
            content.insert("alt_aliases".to_owned(), json!(aliases));
            if aliases.is_empty() {
                content.remove("alt_aliases");
            }
        }
    }
    (rest != *old).then_some((new, rest))
}

/// The power to replace the room stays above that to change its state.
fn raise_tombstone(content: &mut Map<String, Value>) {
    let state_default = content.get("state_default").and_then(integer).unwrap_or(50);
    let events = content.entry("events").or_insert_with(|| json!({}));
    let Some(events) = events.as_object_mut() else { return };
    let tombstone = events.get("m.room.tombstone").and_then(integer).unwrap_or(state_default);
    if tombstone <= state_default {
        events.insert("m.room.tombstone".to_owned(), json!(state_default.max(100).saturating_add(50)));
    }
}

/// The content of the old room's `m.room.power_levels` once it is replaced: nobody but moderators speaks or invites.
/// `None` when that is so already.
pub fn retired_power_levels(old: &Map<String, Value>) -> Option<Value> {
    let level = |name: &str| old.get(name).and_then(integer).unwrap_or(0);
    let needed = level("users_default").saturating_add(1).max(50);
    if level("events_default") >= needed && level("invite") >= needed {
        return None;
    }
    let mut content = old.clone();
    for name in ["events_default", "invite"] {
        let raised = level(name).max(needed);
        content.insert(name.to_owned(), json!(raised));
    }
    Some(Value::Object(content))
}
