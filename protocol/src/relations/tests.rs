#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value as JsonValue, json};

use super::*;

fn pdu(id: &str, edit: impl FnOnce(&mut JsonValue)) -> Pdu {
    let mut event = json!({
        "type": "m.room.message", "sender": "@a:a", "room_id": "!r:a", "content": { "body": "x" },
        "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [],
    });
    edit(&mut event);
    Pdu::from_stored(id.try_into().unwrap(), event.to_string()).unwrap()
}

fn parent() -> Pdu {
    pdu("$parent", |_| ())
}

/// A child of [`parent`] with this relation.
fn child(relates_to: &JsonValue) -> Pdu {
    pdu("$child", |event| event["content"]["m.relates_to"] = relates_to.clone())
}

fn to_parent(rel_type: &str) -> JsonValue {
    json!({ "rel_type": rel_type, "event_id": "$parent" })
}

fn replacement(edit: impl FnOnce(&mut JsonValue)) -> Pdu {
    pdu("$child", |event| {
        event["content"] = json!({ "m.new_content": {}, "m.relates_to": to_parent("m.replace") });
        edit(event);
    })
}

#[test]
fn a_relation_has_a_type_and_a_parent() {
    let reaction = child(&json!({ "rel_type": "m.annotation", "event_id": "$parent", "key": "👍" }));
    let reaction = relation(&reaction).unwrap();
    assert_eq!((&*reaction.rel_type, reaction.event_id.as_str()), ("m.annotation", "$parent"));
    assert_eq!(reaction.key.as_deref(), Some("👍"));
    for broken in [
        json!(null),
        json!("$parent"),
        json!({}),
        json!({ "rel_type": "m.thread" }),
        json!({ "event_id": "$parent" }),
        json!({ "rel_type": 1, "event_id": "$parent" }),
        json!({ "rel_type": "m.thread", "event_id": "parent" }),
        json!({ "rel_type": "m.thread", "event_id": "$child" }),
        json!({ "rel_type": "m.annotation", "event_id": "$parent" }),
        json!({ "rel_type": "m.annotation", "event_id": "$parent", "key": 1 }),
    ] {
        assert_eq!(relation(&child(&broken)), None, "{broken}");
    }
}

#[test]
fn state_events_have_no_relations() {
    let state = pdu("$child", |event| {
        event["state_key"] = json!("");
        event["content"]["m.relates_to"] = to_parent("m.thread");
    });
    assert_eq!(relation(&state), None);
}

#[test]
fn a_reply_names_what_it_replies_to() {
    let reply = child(&json!({ "m.in_reply_to": { "event_id": "$parent" } }));
    assert_eq!(in_reply_to(&reply).unwrap(), "$parent");
    assert_eq!(relation(&reply), None);
    assert_eq!(in_reply_to(&child(&json!({ "m.in_reply_to": "$parent" }))), None);
}

#[test]
fn a_thread_is_named_by_its_root() {
    assert_eq!(thread_root(&child(&to_parent("m.thread"))).unwrap(), "$parent");
    assert_eq!(thread_parent(&child(&to_parent("m.thread"))), None);
    assert_eq!(thread_root(&child(&to_parent("m.reference"))), None);
    assert_eq!(thread_parent(&child(&to_parent("m.reference"))).unwrap(), "$parent");
    assert_eq!(thread_root(&parent()), None);
}

#[test]
fn a_thread_does_not_start_at_an_event_that_relates_to_another() {
    let threaded = child(&to_parent("m.thread"));
    let nested = Relation { rel_type: "m.thread".into(), event_id: "$child".try_into().unwrap(), key: None };
    assert_eq!(check_new_relation(&nested, &threaded), Err(RelationError::ThreadFromRelated));
    assert_eq!(check_new_relation(&nested, &parent()), Ok(()));
    let reference = Relation { rel_type: "m.reference".into(), ..nested };
    assert_eq!(check_new_relation(&reference, &threaded), Ok(()));
}

#[test]
fn an_edit_is_valid_by_the_sender_in_the_same_room_of_the_same_type() {
    assert!(is_valid_replacement(&parent(), &replacement(|_| ())));
    let table: [fn(&mut JsonValue); 7] = [
        |e| e["sender"] = json!("@b:a"),
        |e| e["room_id"] = json!("!other:a"),
        |e| e["type"] = json!("m.sticker"),
        |e| e["state_key"] = json!(""),
        |e| drop(e["content"].as_object_mut().unwrap().remove("m.new_content")),
        |e| e["content"]["m.new_content"] = json!("x"),
        |e| e["content"]["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": "$other" }),
    ];
    for (row, broken) in table.into_iter().enumerate() {
        assert!(!is_valid_replacement(&parent(), &replacement(broken)), "row {row}");
    }
}

#[test]
fn neither_state_nor_edits_are_edited() {
    let state = pdu("$parent", |event| event["state_key"] = json!(""));
    assert!(!is_valid_replacement(&state, &replacement(|_| ())));
    let edit = pdu("$parent", |event| {
        event["content"]["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": "$first" });
    });
    assert!(!is_valid_replacement(&edit, &replacement(|_| ())));
}

#[test]
fn the_new_content_of_an_encrypted_edit_is_not_seen() {
    let encrypted = |event: &mut JsonValue| event["type"] = json!("m.room.encrypted");
    let original = pdu("$parent", encrypted);
    let edit = pdu("$child", |event| {
        encrypted(event);
        event["content"] = json!({ "ciphertext": "x", "m.relates_to": to_parent("m.replace") });
    });
    assert!(is_valid_replacement(&original, &edit));
    assert!(!is_valid_replacement(&parent(), &edit));
}

#[test]
fn the_latest_edit_is_by_time_then_by_event_id() {
    let at = |id: &str, ts: u32| pdu(id, |event| event["origin_server_ts"] = json!(ts));
    let (a, b, late) = (at("$a", 1), at("$b", 1), at("$0", 2));
    assert_eq!(newer_replacement(&a, &b), &b);
    assert_eq!(newer_replacement(&b, &a), &b);
    assert_eq!(newer_replacement(&late, &b), &late);
}

#[test]
fn edits_threads_and_references_are_bundled_and_annotations_are_not() {
    assert!(is_bundled(&parent(), &replacement(|_| ())));
    assert!(!is_bundled(&parent(), &replacement(|e| e["sender"] = json!("@b:a"))));
    assert!(is_bundled(&parent(), &child(&to_parent("m.thread"))));
    assert!(is_bundled(&parent(), &child(&to_parent("m.reference"))));
    let reaction = json!({ "rel_type": "m.annotation", "event_id": "$parent", "key": "x" });
    assert!(!is_bundled(&parent(), &child(&reaction)));
    assert!(!is_bundled(&parent(), &child(&json!({ "rel_type": "m.thread", "event_id": "$other" }))));
    let state = pdu("$parent", |event| event["state_key"] = json!(""));
    assert!(!is_bundled(&state, &child(&to_parent("m.thread"))));
    let related = pdu("$parent", |event| {
        event["content"]["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": "$root" });
    });
    assert!(!is_bundled(&related, &child(&to_parent("m.thread"))));
}
