//! Redaction, against ruma's.

use proptest::prelude::*;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, canonical_json};

use super::*;
use crate::json::Object;

/// An event with every member that any version keeps, and some that none keeps.
fn full(event_type: &str) -> JsonValue {
    json!({
        "auth_events": [], "content": {
            "aliases": ["#a:b"], "allow": [], "ban": 1, "body": "gone", "creator": "@a:b", "events": { "x": 1 },
            "events_default": 2, "history_visibility": "shared", "invite": 3, "join_authorised_via_users_server": "@a:b",
            "join_rule": "public", "kick": 4, "membership": "join", "notifications": { "room": 1 }, "redact": 5,
            "redacts": "$x", "room_version": "11", "state_default": 6,
            "third_party_invite": { "display_name": "gone", "signed": { "token": "t" } },
            "users": { "@a:b": 7 }, "users_default": 8,
        },
        "depth": 1, "event_id": "$e", "hashes": { "sha256": "x" }, "membership": "join", "origin": "b",
        "origin_server_ts": 1, "prev_events": [], "prev_state": [], "redacts": "$x", "room_id": "!r:b", "sender": "@a:b",
        "signatures": {}, "state_key": "", "type": event_type, "unsigned": { "age": 1 }, "whatever": {},
    })
}

const TYPES: [&str; 9] = [
    "m.room.create",
    "m.room.member",
    "m.room.join_rules",
    "m.room.power_levels",
    "m.room.history_visibility",
    "m.room.redaction",
    "m.room.aliases",
    "m.room.message",
    "m.room.server_acl",
];

fn ruma_redacted(event: &str, rules: &RoomVersionRules) -> String {
    let object: CanonicalJsonObject = serde_json::from_str(event).unwrap();
    CanonicalJsonValue::Object(canonical_json::redact(object, &rules.redaction, None).unwrap()).to_string()
}

#[test]
fn every_version_keeps_of_every_type_what_ruma_keeps() {
    for (version, rules) in all_rules() {
        for event_type in TYPES {
            let event = full(event_type).to_string();
            assert_eq!(
                redact(Object::new(&event).unwrap(), &rules.redaction, &[]),
                ruma_redacted(&event, &rules),
                "{version} {event_type}"
            );
        }
    }
}

#[test]
fn the_content_of_a_create_event_is_kept_whole_since_version_11() {
    let kept = |version| {
        let event = full("m.room.create").to_string();
        let redacted = redact(Object::new(&event).unwrap(), &rules(&version).redaction, &[]);
        serde_json::from_str::<JsonValue>(&redacted).unwrap()["content"].as_object().unwrap().len()
    };
    assert_eq!(kept(RoomVersionId::V10), 1);
    assert_eq!(kept(RoomVersionId::V11), full("")["content"].as_object().unwrap().len());
}

#[test]
fn a_third_party_invite_that_is_no_object_is_not_kept() {
    // As Synapse does; ruma keeps it.
    let mut event = full("m.room.member");
    event["content"]["third_party_invite"] = json!("x");
    let event = event.to_string();
    let redacted = redact(Object::new(&event).unwrap(), &rules(&RoomVersionId::V11).redaction, &[]);
    assert!(!redacted.contains("third_party_invite"));
}

#[test]
fn redaction_keeps_the_event_id_and_is_idempotent() {
    for (version, rules) in all_rules() {
        let event = message().build(server(), &key(), &rules).unwrap();
        let redacted = event.redacted(&rules.redaction);
        assert_eq!(redacted.content_json(), "{}", "{version}");
        assert_eq!(redacted.event_id(), event.event_id());
        assert_eq!(redacted.redacted(&rules.redaction), redacted);
        assert_eq!(Pdu::parse(redacted.json(), &rules).unwrap().event_id(), event.event_id(), "{version}");
    }
}

proptest! {
    #[test]
    fn any_part_of_an_event_is_redacted_as_ruma_does(
        event_type in prop::sample::select(TYPES.to_vec()),
        version in prop::sample::select(SUPPORTED.to_vec()),
        keep in prop::collection::vec(any::<bool>(), 64),
    ) {
        let mut keep = keep.into_iter();
        let mut event = full(event_type);
        event["content"].as_object_mut().unwrap().retain(|_, _| keep.next().unwrap());
        event.as_object_mut().unwrap().retain(|name, _| name == "type" || keep.next().unwrap());
        let event = event.to_string();
        let rules = rules(&version);
        prop_assert_eq!(redact(Object::new(&event).unwrap(), &rules.redaction, &[]), ruma_redacted(&event, &rules));
    }
}
