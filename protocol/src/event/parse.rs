//! From text to [`Pdu`], checking the format of the room version. [S-S §8.1, step 1]

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId,
    room_version_rules::{EventsReferenceFormatVersion, RoomVersionRules},
};
use thiserror::Error;

use super::{
    Pdu,
    fields::{Fields, string},
    hash::{encode_reference_hash, reference_hash},
    redaction::without,
};
use crate::json::{CanonicalizeError, Malformed, Object, Strictness, Value, canonicalize};

/// The largest event, in bytes of canonical JSON with signatures. [C-S §11.8]
pub const MAX_PDU_BYTES: usize = 65_536;
/// The longest `event_id`, `room_id`, `sender`, `state_key` and `type`, in bytes. [C-S §11.8]
///
/// Servers have counted characters instead, and rooms hold such events. So a `state_key` or `type` of so many
/// characters can be read, and the event is then rejected: were it dropped, what follows it could never be connected.
pub const MAX_ID_BYTES: usize = 255;
/// The most previous events. [room versions, event format]
pub const MAX_PREV_EVENTS: usize = 20;
/// The most auth events. [room versions, event format]
pub const MAX_AUTH_EVENTS: usize = 10;

/// How the text is not an event of its room version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Not JSON, or not canonical enough for the room version.
    #[error(transparent)]
    Json(#[from] CanonicalizeError),
    /// Not a JSON object.
    #[error("an event must be a JSON object")]
    NotAnObject,
    /// A required field is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A field has the wrong type.
    #[error("`{0}` has the wrong type")]
    Type(&'static str),
    /// A number is out of its range.
    #[error("`{0}` is out of range")]
    Range(&'static str),
    /// A string is longer than [`MAX_ID_BYTES`], or a list has too many entries.
    #[error("`{0}` is too long")]
    TooLong(&'static str),
    /// A string is not the identifier that it should be.
    #[error("`{0}` is not a valid identifier")]
    Identifier(&'static str),
    /// The event is larger than [`MAX_PDU_BYTES`].
    #[error("the event is larger than {MAX_PDU_BYTES} bytes")]
    TooLarge,
}

impl From<Malformed> for ParseError {
    fn from(Malformed: Malformed) -> Self {
        Self::NotAnObject
    }
}

impl Pdu {
    /// Reads an event of a room version from untrusted JSON.
    ///
    /// `unsigned` is left out: other servers' local data is not part of the event. Hashes and signatures are not
    /// checked, see [`Verification`](super::Verification).
    ///
    /// # Errors
    ///
    /// When the text is not an event of this room version; such an event is dropped.
    pub fn parse(text: &str, rules: &RoomVersionRules) -> Result<Self, ParseError> {
        let mut json = canonicalize(text, strictness(rules))?;
        let event = Object::new(&json)?;
        if event.get("unsigned").is_some() {
            json = without(event, &["unsigned"]);
        }
        if json.len() > MAX_PDU_BYTES {
            return Err(ParseError::TooLarge);
        }
        let event = Object::new(&json)?;
        let fields = Fields::find(event);
        check_format(&fields, rules)?;
        let event_id = if rules.event_format.require_event_id {
            string("event_id", fields.event_id)?.into_owned()
        } else {
            format!("${}", encode_reference_hash(reference_hash(event, &rules.redaction), rules))
        };
        let event_id = OwnedEventId::try_from(event_id).map_err(|_| ParseError::Identifier("event_id"))?;
        if rules.event_format.require_event_id && event_id.server_name().is_none() {
            return Err(ParseError::Identifier("event_id"));
        }
        let read = Self::read(event_id, &json, &fields)?;
        Ok(Self { json: json.into(), ..read })
    }

    /// The field that can be read, and is longer than [`MAX_ID_BYTES`].
    pub fn overlong_field(&self) -> Option<&'static str> {
        if self.event_type().len() > MAX_ID_BYTES {
            return Some("type");
        }
        self.state_key().is_some_and(|state_key| state_key.len() > MAX_ID_BYTES).then_some("state_key")
    }

    /// Reads an event from the canonical text of one that was checked before.
    ///
    /// # Errors
    ///
    /// When the text is not an event at all: what was stored is corrupt.
    pub fn from_stored(event_id: OwnedEventId, json: impl Into<Box<str>>) -> Result<Self, ParseError> {
        let json = json.into();
        let read = Self::read(event_id, &json, &Fields::find(Object::new(&json)?))?;
        Ok(Self { json, ..read })
    }

    /// The event of these fields, still without its text.
    fn read(event_id: OwnedEventId, json: &str, fields: &Fields<'_>) -> Result<Self, ParseError> {
        let room_id = match fields.room_id {
            // Room version 12: the room is named after the event that creates it.
            None if fields.event_type()? == "m.room.create" => {
                OwnedRoomId::try_from(format!("!{}", event_id.as_str().trim_start_matches('$')))
            }
            room_id => OwnedRoomId::try_from(&*string("room_id", room_id)?),
        }
        .map_err(|_| ParseError::Identifier("room_id"))?;
        Ok(Self {
            json: Box::default(),
            event_id,
            room_id,
            sender: OwnedUserId::try_from(&*fields.sender()?)
                .map_err(|_| ParseError::Identifier("sender"))?,
            event_type: fields.event_type_text(json)?,
            state_key: fields.state_key_text(json)?,
            content: fields.content(json)?,
            origin_server_ts: fields.origin_server_ts()?,
            depth: fields.depth()?,
            prev_events: fields.prev_events()?,
            auth_events: fields.auth_events()?,
        })
    }
}

/// How strictly the room version takes numbers.
pub(super) fn strictness(rules: &RoomVersionRules) -> Strictness {
    if rules.authorization.strict_canonical_json { Strictness::Strict } else { Strictness::Lax }
}

/// The format rules that stored events need not be checked for again.
fn check_format(fields: &Fields<'_>, rules: &RoomVersionRules) -> Result<(), ParseError> {
    check_length("event_id", fields.event_id)?;
    check_length("room_id", fields.room_id)?;
    if fields.sender()?.len() > MAX_ID_BYTES {
        return Err(ParseError::TooLong("sender"));
    }
    let event_type = fields.event_type()?;
    if event_type.chars().count() > MAX_ID_BYTES {
        return Err(ParseError::TooLong("type"));
    }
    if fields.state_key()?.is_some_and(|state_key| state_key.chars().count() > MAX_ID_BYTES) {
        return Err(ParseError::TooLong("state_key"));
    }
    if fields.room_id.is_none()
        && (rules.event_format.require_room_create_room_id || event_type != "m.room.create")
    {
        return Err(ParseError::Missing("room_id"));
    }
    check_references(fields, rules)?;
    let hashes =
        fields.hashes.ok_or(ParseError::Missing("hashes"))?.as_object().ok_or(ParseError::Type("hashes"))?;
    string("hashes.sha256", hashes.get("sha256"))?;
    let signatures = fields.signatures.ok_or(ParseError::Missing("signatures"))?;
    let signatures = signatures.as_object().ok_or(ParseError::Type("signatures"))?;
    for (_, signatures) in signatures {
        let signatures = signatures.as_object().ok_or(ParseError::Type("signatures"))?;
        if signatures.into_iter().any(|(_, signature)| signature.as_str().is_none()) {
            return Err(ParseError::Type("signatures"));
        }
    }
    Ok(())
}

fn check_length(name: &'static str, value: Option<Value<'_>>) -> Result<(), ParseError> {
    match value {
        Some(value) if string(name, Some(value))?.len() > MAX_ID_BYTES => Err(ParseError::TooLong(name)),
        _ => Ok(()),
    }
}

fn check_references(fields: &Fields<'_>, rules: &RoomVersionRules) -> Result<(), ParseError> {
    let pairs = rules.events_reference_format == EventsReferenceFormatVersion::V1;
    for (name, most, references) in [
        ("prev_events", MAX_PREV_EVENTS, fields.prev_events),
        ("auth_events", MAX_AUTH_EVENTS, fields.auth_events),
    ] {
        let references = references.ok_or(ParseError::Missing(name))?.as_array();
        for (index, reference) in references.ok_or(ParseError::Type(name))?.into_iter().enumerate() {
            if index >= most {
                return Err(ParseError::TooLong(name));
            }
            if reference.as_array().is_some() != pairs {
                return Err(ParseError::Type(name));
            }
        }
    }
    Ok(())
}
