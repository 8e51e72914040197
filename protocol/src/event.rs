//! Persistent data units: their format, identity, hashes, signatures and redaction, in every room version.
//!
//! A [`Pdu`] is the canonical text of an event with a few parsed fields beside it. It is made by [`Pdu::parse`] from
//! what came from outside, by [`Pdu::from_stored`] from what was checked before, and by
//! [`EventBuilder`] for events of this server.

mod author;
mod build;
mod fields;
mod hash;
mod parse;
mod redaction;
#[cfg(test)]
mod tests;
mod verify;

use std::borrow::Cow;

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId,
    room_version_rules::RedactionRules,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub(crate) use self::fields::Span;
use self::fields::Text;
pub(crate) use self::verify::decode_base64;
pub use self::{
    author::Author,
    build::{BuildError, EventBuilder, EventReference, UnsignedEvent, sign_object},
    hash::{content_hash, reference_hash},
    parse::{MAX_AUTH_EVENTS, MAX_ID_BYTES, MAX_PDU_BYTES, MAX_PREV_EVENTS, ParseError},
    redaction::redact,
    verify::{
        SignatureCheck, SignatureOutcome, Verification, VerificationError, VerifiedPdu, has_right_hash,
        is_event_signed, is_object_signed, required_servers, signatures_of, signed_bytes,
    },
};
use crate::json::{Object, Value};

/// An event as servers exchange it, without `unsigned`. [S-S §8]
///
/// Holds its canonical text and the fields that every check needs; anything else is read from the text when asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    json: Box<str>,
    event_id: OwnedEventId,
    room_id: OwnedRoomId,
    sender: OwnedUserId,
    event_type: Text,
    state_key: Option<Text>,
    content: Span,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    depth: u64,
    prev_events: Box<[OwnedEventId]>,
    auth_events: Box<[OwnedEventId]>,
}

impl Pdu {
    /// The event's id: given by the event in room versions 1 and 2, its reference hash in later ones.
    pub fn event_id(&self) -> &EventId {
        &self.event_id
    }

    /// The room; for an `m.room.create` without `room_id` (room version 12), the room that the event creates.
    pub fn room_id(&self) -> &RoomId {
        &self.room_id
    }

    /// The user who sent the event.
    pub fn sender(&self) -> &UserId {
        &self.sender
    }

    /// The event's `type`.
    pub fn event_type(&self) -> &str {
        self.event_type.get(&self.json)
    }

    /// The event's `state_key`; absent for events that are not state.
    pub fn state_key(&self) -> Option<&str> {
        self.state_key.as_ref().map(|state_key| state_key.get(&self.json))
    }

    /// Whether the event is of this type and has this state key.
    pub fn is_state(&self, event_type: &str, state_key: &str) -> bool {
        self.event_type() == event_type && self.state_key() == Some(state_key)
    }

    /// The event's content, a JSON object.
    pub fn content(&self) -> &RawValue {
        serde_json::from_str(self.content_json()).unwrap_or(RawValue::NULL)
    }

    /// The canonical text of the event's content.
    pub fn content_json(&self) -> &str {
        self.content.get(&self.json)
    }

    /// The members of the event's content.
    pub fn content_object(&self) -> Object<'_> {
        Value::new(self.content_json()).as_object().unwrap_or_default()
    }

    /// The event's content as `T`.
    ///
    /// # Errors
    ///
    /// When the content does not have the shape of `T`.
    pub fn content_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.content_json())
    }

    /// When the sender's server says that it made the event.
    pub fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.origin_server_ts
    }

    /// The event's depth: one more than that of its deepest previous event, as its server says.
    pub fn depth(&self) -> u64 {
        self.depth
    }

    /// The events that this one comes after.
    pub fn prev_events(&self) -> &[OwnedEventId] {
        &self.prev_events
    }

    /// The events that authorise this one.
    pub fn auth_events(&self) -> &[OwnedEventId] {
        &self.auth_events
    }

    /// The event that this one redacts: named at the top level, or in the content since room version 11.
    ///
    /// Does not look at the type: ask only of an `m.room.redaction`.
    pub fn redacts(&self, rules: &RedactionRules) -> Option<OwnedEventId> {
        let redacts = if rules.content_field_redacts {
            self.content_object().get("redacts")
        } else {
            self.object().get("redacts")
        };
        OwnedEventId::try_from(redacts?.as_str()?.into_owned()).ok()
    }

    /// The event's canonical text, without `unsigned`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The event's canonical text, taking it out of the event.
    pub fn into_json(self) -> String {
        self.json.into()
    }

    /// The members of the event.
    pub fn object(&self) -> Object<'_> {
        Value::new(&self.json).as_object().unwrap_or_default()
    }

    /// A string in the content, if there is one by this name.
    pub fn content_str(&self, field: &str) -> Option<Cow<'_, str>> {
        self.content_object().get(field)?.as_str()
    }

    /// The event as it is after redaction. Its id is the same; redacting twice changes nothing more.
    #[must_use]
    pub fn redacted(&self, rules: &RedactionRules) -> Self {
        let json = redact(self.object(), rules, &[]);
        Self::from_stored(self.event_id.clone(), json).unwrap_or_else(|_| self.clone())
    }
}
