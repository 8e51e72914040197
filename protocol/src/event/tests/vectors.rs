//! The specification's own vectors. [appendices, cryptographic test vectors]

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ruma::signatures::KeyPair;

use super::*;
use crate::{
    json::{Object, Strictness, canonicalize},
    signing::sign_object,
};

#[test]
fn json_is_signed_as_in_the_specification() {
    assert_eq!(
        sign_object("{}", server(), &key()).unwrap(),
        r#"{"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}}}"#
    );
    assert_eq!(
        sign_object(r#"{"one": 1, "two": "Two"}"#, server(), &key()).unwrap(),
        r#"{"one":1,"signatures":{"domain":{"ed25519:1":"KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"}},"two":"Two"}"#
    );
}

/// The content hash and the signature of an event whose `hashes` is empty.
fn hash_and_sign(event: &str) -> (String, String) {
    let event = canonicalize(event, Strictness::Strict).unwrap();
    let hash = BASE64_STANDARD_NO_PAD.encode(content_hash(Object::new(&event).unwrap()));
    let mut hashed: serde_json::Value = serde_json::from_str(&event).unwrap();
    hashed["hashes"] = json!({ "sha256": hash });
    let hashed = hashed.to_string();
    let message = redact(
        Object::new(&hashed).unwrap(),
        &rules(&RoomVersionId::V1).redaction,
        &["signatures", "unsigned"],
    );
    (hash, key().sign(message.as_bytes()).base64())
}

#[test]
fn events_are_hashed_and_signed_as_in_the_specification() {
    let minimal = json!({
        "room_id": "!x:domain", "sender": "@a:domain", "origin": "domain", "origin_server_ts": 1_000_000,
        "signatures": {}, "hashes": {}, "type": "X", "content": {}, "prev_events": [], "auth_events": [], "depth": 3,
        "unsigned": { "age_ts": 1_000_000 }
    });
    assert_eq!(
        hash_and_sign(&minimal.to_string()),
        (
            "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos".to_owned(),
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"
                .to_owned()
        )
    );
    let redactable = json!({
        "content": { "body": "Here is the message content" }, "event_id": "$0:domain", "origin": "domain",
        "origin_server_ts": 1_000_000, "type": "m.room.message", "room_id": "!r:domain", "sender": "@u:domain",
        "signatures": {}, "unsigned": { "age_ts": 1_000_000 }
    });
    assert_eq!(
        hash_and_sign(&redactable.to_string()),
        (
            "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g".to_owned(),
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"
                .to_owned()
        )
    );
}
