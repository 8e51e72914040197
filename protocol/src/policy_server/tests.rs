#![allow(clippy::unwrap_used, reason = "tests")]

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ruma::{
    RoomVersionId,
    signatures::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value as JsonValue, json};

use super::*;
use crate::{event::signed_bytes, signing::key_pair};

fn key(seed: u8) -> Ed25519KeyPair {
    key_pair(&[seed; 32], "policy_server".to_owned()).unwrap()
}

fn event(event_type: &str, state_key: Option<&str>, content: &JsonValue) -> Pdu {
    let mut event = json!({
        "type": event_type, "sender": "@a:a", "room_id": "!r:a", "content": content,
        "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [],
    });
    if let Some(state_key) = state_key {
        event["state_key"] = json!(state_key);
    }
    Pdu::from_stored("$event".try_into().unwrap(), event.to_string()).unwrap()
}

fn policy(content: &JsonValue) -> Option<PolicyServer> {
    PolicyServer::new(&event(POLICY_TYPE, Some(""), content))
}

fn rules() -> RedactionRules {
    RoomVersionId::V11.rules().unwrap().redaction
}

fn signature(event: &Pdu, seed: u8) -> Vec<u8> {
    key(seed).sign(signed_bytes(event, &rules()).as_bytes()).as_bytes().to_vec()
}

#[test]
fn a_policy_needs_a_server_and_an_ed25519_key() {
    let keys = json!({"ed25519": "6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s"});
    assert!(policy(&json!({"via": "p.test", "public_keys": keys})).is_some());
    for invalid in [
        json!({}),
        json!({"via": "p.test"}),
        json!({"public_keys": keys}),
        json!({"via": 1, "public_keys": keys}),
        json!({"via": "not a server", "public_keys": keys}),
        json!({"via": "p.test", "public_keys": {}}),
        json!({"via": "p.test", "public_keys": {"ed25519": 1}}),
        json!({"via": "p.test", "public_keys": {"x25519": "AA"}}),
    ] {
        assert_eq!(policy(&invalid), None, "{invalid}");
    }
}

#[test]
fn only_the_key_in_the_policy_recommends_under_its_own_name_and_id() {
    let message = event("m.room.message", None, &json!({"body": "hello"}));
    let right = signature(&message, 1);
    let public = key(1).public_key().to_vec();
    for public in [STANDARD_NO_PAD.encode(&public), URL_SAFE_NO_PAD.encode(&public)] {
        let policy = policy(&json!({"via": "p.test", "public_keys": {"ed25519": public}})).unwrap();
        let signed = |server: &str, key_id: &str, signature: &[u8]| {
            let event = message.with_signature(server.try_into().unwrap(), key_id, signature).unwrap();
            policy.recommends(&event, &rules())
        };
        assert!(!policy.recommends(&message, &rules()));
        assert!(signed("p.test", POLICY_KEY_ID, &right));
        assert!(!signed("p.test", POLICY_KEY_ID, &signature(&message, 2)));
        assert!(!signed("p.test", "ed25519:1", &right));
        assert!(!signed("q.test", POLICY_KEY_ID, &right));
        assert!(!signed("p.test", POLICY_KEY_ID, b"short"));
    }
    let unusable = policy(&json!({"via": "p.test", "public_keys": {"ed25519": "&"}})).unwrap();
    let signed = message.with_signature(&unusable.name, POLICY_KEY_ID, &right).unwrap();
    assert!(!unusable.recommends(&signed, &rules()));
}

#[test]
fn a_given_signature_is_added_beside_the_others_if_it_is_right() {
    let public = STANDARD_NO_PAD.encode(key(1).public_key());
    let policy = policy(&json!({"via": "a", "public_keys": {"ed25519": public}})).unwrap();
    let message = event("m.room.message", None, &json!({"body": "hello"}));
    let message = message.with_signature("a".try_into().unwrap(), "ed25519:1", b"of the origin").unwrap();
    let signed = STANDARD_NO_PAD.encode(signature(&message, 1));
    let signed = policy.add_signature(&message, &signed, &rules()).unwrap();
    assert_eq!(signatures_of(&signed, &policy.name).len(), 2);
    for wrong in [STANDARD_NO_PAD.encode(signature(&message, 2)), "&".to_owned(), String::new()] {
        assert_eq!(policy.add_signature(&message, &wrong, &rules()), None);
    }
}

#[test]
fn the_policy_itself_needs_no_recommendation() {
    let policy = policy(&json!({"via": "p.test", "public_keys": {"ed25519": "AA"}})).unwrap();
    assert!(policy.recommends(&event(POLICY_TYPE, Some(""), &json!({})), &rules()));
    assert!(!policy.recommends(&event(POLICY_TYPE, Some("x"), &json!({})), &rules()));
    assert!(!policy.recommends(&event(POLICY_TYPE, None, &json!({})), &rules()));
}
