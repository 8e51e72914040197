#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod build;
mod format;
mod redaction;
mod vectors;
mod verify;

use ruma::{
    MilliSecondsSinceUnixEpoch, RoomVersionId, ServerName, UInt, room_version_rules::RoomVersionRules,
    server_name, signatures::Ed25519KeyPair,
};
use serde_json::{Value as JsonValue, json};

use super::*;
use crate::{room_version::SUPPORTED, signing::key_pair};

/// The seed of the specification's test vectors.
const SEED: &str = "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1";

fn key() -> Ed25519KeyPair {
    key_pair(&decode_base64(SEED).unwrap().try_into().unwrap(), "1".to_owned()).unwrap()
}

fn server() -> &'static ServerName {
    server_name!("domain")
}

fn rules(version: &RoomVersionId) -> RoomVersionRules {
    version.rules().unwrap()
}

/// Every supported version with its rules.
fn all_rules() -> impl Iterator<Item = (RoomVersionId, RoomVersionRules)> {
    SUPPORTED.into_iter().map(|version| (version.clone(), rules(&version)))
}

fn ts(millis: u32) -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(UInt::from(millis))
}

/// A message without references.
fn message() -> EventBuilder {
    EventBuilder {
        room_id: Some("!room:domain".try_into().unwrap()),
        sender: "@alice:domain".try_into().unwrap(),
        event_type: "m.room.message".to_owned(),
        state_key: None,
        content: json!({ "msgtype": "m.text", "body": "Hello" }).to_string(),
        redacts: None,
        origin_server_ts: ts(1_000_000),
        depth: 3,
        prev_events: Vec::new(),
        auth_events: Vec::new(),
        opaque_id: Some("opaque".to_owned()),
    }
}

fn state(event_type: &str, state_key: &str, content: &JsonValue) -> EventBuilder {
    EventBuilder {
        event_type: event_type.to_owned(),
        state_key: Some(state_key.to_owned()),
        content: content.to_string(),
        ..message()
    }
}

/// The parts of an event that parses in the room version, to be broken.
fn parts(version: &RoomVersionId) -> JsonValue {
    let event = message().build(server(), &key(), &rules(version)).unwrap();
    serde_json::from_str(event.json()).unwrap()
}
