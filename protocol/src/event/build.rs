//! Making events. [S-S §26.1, adding hashes and signatures to outgoing events]

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, ServerName,
    room_version_rules::{EventsReferenceFormatVersion, RoomVersionRules},
    signatures::KeyPair,
};
use thiserror::Error;

use super::{
    ParseError, Pdu, content_hash,
    parse::strictness,
    redaction::{redact, without},
    reference_hash,
};
use crate::json::{CanonicalizeError, Object, Strictness, Value, canonicalize, write_string};

/// Why an event could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The content is not JSON that the room version takes.
    #[error("the content is not valid: {0}")]
    Content(#[from] CanonicalizeError),
    /// The content is not a JSON object.
    #[error("the content is not a JSON object")]
    ContentNotObject,
    /// Room versions 1 and 2 need a name for the event.
    #[error("events of this room version need an opaque id")]
    NoOpaqueId,
    /// Room versions 1 and 2 need the hashes of the events referred to.
    #[error("references in this room version need a hash")]
    NoReferenceHash,
    /// The finished event is not one that a server would take.
    #[error(transparent)]
    Event(#[from] ParseError),
    /// A template of another server is malformed.
    #[error("the template's `{0}` is malformed")]
    Template(&'static str),
}

/// A reference to a previous or auth event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReference {
    event_id: OwnedEventId,
    /// Unpadded base64.
    sha256: Option<String>,
}

impl EventReference {
    /// A reference to an event, with its hash where the room version needs one.
    pub fn to(pdu: &Pdu, rules: &RoomVersionRules) -> Self {
        let needs_hash = rules.events_reference_format == EventsReferenceFormatVersion::V1;
        let sha256 =
            needs_hash.then(|| BASE64_STANDARD_NO_PAD.encode(reference_hash(pdu.object(), &rules.redaction)));
        Self { event_id: pdu.event_id().to_owned(), sha256 }
    }

    /// A reference to an event by its id, which is its hash since room version 3.
    pub fn by_id(event_id: OwnedEventId) -> Self {
        Self { event_id, sha256: None }
    }

    /// The event referred to.
    pub fn event_id(&self) -> &EventId {
        &self.event_id
    }

    fn write(&self, rules: &RoomVersionRules, out: &mut String) -> Result<(), BuildError> {
        if rules.events_reference_format != EventsReferenceFormatVersion::V1 {
            write_string(self.event_id.as_str(), out);
            return Ok(());
        }
        out.push('[');
        write_string(self.event_id.as_str(), out);
        out.push_str(",{\"sha256\":");
        write_string(self.sha256.as_deref().ok_or(BuildError::NoReferenceHash)?, out);
        out.push_str("}]");
        Ok(())
    }

    fn read_all(template: Object<'_>, name: &'static str) -> Result<Vec<Self>, BuildError> {
        let malformed = || BuildError::Template(name);
        let references = template.get(name).and_then(Value::as_array).ok_or_else(malformed)?;
        let read = |reference: Value<'_>| {
            let mut pair = reference.as_array().map(IntoIterator::into_iter);
            let id = match &mut pair {
                Some(pair) => pair.next()?.as_str()?,
                None => reference.as_str()?,
            };
            let hash = pair.and_then(|mut pair| pair.next()?.as_object()?.get("sha256")?.as_str());
            let event_id = OwnedEventId::try_from(&*id).ok()?;
            Some(Self { event_id, sha256: hash.map(Cow::into_owned) })
        };
        references.into_iter().map(|reference| read(reference).ok_or_else(malformed)).collect()
    }
}

/// An event to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBuilder {
    /// The room; absent for the create event since room version 12.
    pub room_id: Option<OwnedRoomId>,
    /// Who sends the event.
    pub sender: OwnedUserId,
    /// The event's type.
    pub event_type: String,
    /// The state key, for a state event.
    pub state_key: Option<String>,
    /// The content: the JSON text of an object.
    pub content: String,
    /// For an `m.room.redaction`: the event to redact. Goes where the room version wants it.
    pub redacts: Option<OwnedEventId>,
    /// When the event is made.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    /// One more than the greatest depth of the previous events.
    pub depth: u64,
    /// The events that this one comes after.
    pub prev_events: Vec<EventReference>,
    /// The events that authorise this one.
    pub auth_events: Vec<EventReference>,
    /// Room versions 1 and 2: the part of the event id before the server name, unique on this server.
    pub opaque_id: Option<String>,
}

impl EventBuilder {
    /// Takes over what another server proposes for a membership event: previous and auth events, depth and content.
    ///
    /// The caller sets or checks the other fields. [S-S §12, `make_join`]
    ///
    /// # Errors
    ///
    /// When the template is malformed.
    pub fn from_template(
        template: &str,
        rules: &RoomVersionRules,
        sender: OwnedUserId,
        origin_server_ts: MilliSecondsSinceUnixEpoch,
    ) -> Result<Self, BuildError> {
        let template = canonicalize(template, strictness(rules))?;
        let template = Object::new(&template).map_err(|_| BuildError::Template("event"))?;
        let string = |name: &'static str| match template.get(name) {
            Some(value) => {
                value.as_str().map(|text| Some(text.into_owned())).ok_or(BuildError::Template(name))
            }
            None => Ok(None),
        };
        let depth =
            template.get("depth").and_then(Value::as_integer).and_then(|depth| u64::try_from(depth).ok());
        let room_id = string("room_id")?.map(OwnedRoomId::try_from).transpose();
        Ok(Self {
            room_id: room_id.map_err(|_| BuildError::Template("room_id"))?,
            sender,
            event_type: string("type")?.ok_or(BuildError::Template("type"))?,
            state_key: string("state_key")?,
            content: template.get("content").ok_or(BuildError::Template("content"))?.text().to_owned(),
            redacts: None,
            origin_server_ts,
            depth: depth.ok_or(BuildError::Template("depth"))?,
            prev_events: EventReference::read_all(template, "prev_events")?,
            auth_events: EventReference::read_all(template, "auth_events")?,
            opaque_id: None,
        })
    }

    /// The event without hashes and signatures: what is proposed to another server that will sign it.
    ///
    /// # Errors
    ///
    /// When the content or the references are not what the room version takes.
    pub fn template(&self, rules: &RoomVersionRules) -> Result<String, BuildError> {
        let mut members = self.members(rules)?;
        Ok(assemble(&mut members))
    }

    /// Adds the content hash, leaving the signature to be made.
    ///
    /// # Errors
    ///
    /// When the fields do not make an event of the room version.
    pub fn prepare(
        &self,
        server: &ServerName,
        rules: &RoomVersionRules,
    ) -> Result<UnsignedEvent, BuildError> {
        let mut members = self.members(rules)?;
        if rules.event_format.require_event_id {
            let opaque_id = self.opaque_id.as_deref().ok_or(BuildError::NoOpaqueId)?;
            members.push(("event_id", quoted(&format!("${opaque_id}:{server}"))));
        }
        let unhashed = assemble(&mut members);
        let hash = content_hash(Value::new(&unhashed).as_object().unwrap_or_default());
        members.push(("hashes", format!("{{\"sha256\":\"{}\"}}", BASE64_STANDARD_NO_PAD.encode(hash))));
        let json = assemble(&mut members);
        Ok(UnsignedEvent { json, server: server.as_str().to_owned() })
    }

    /// Makes the event, hashed and signed.
    ///
    /// # Errors
    ///
    /// When the fields do not make an event of the room version.
    pub fn build(
        &self,
        server: &ServerName,
        key: &impl KeyPair,
        rules: &RoomVersionRules,
    ) -> Result<Pdu, BuildError> {
        let unsigned = self.prepare(server, rules)?;
        let signature = key.sign(unsigned.message(rules).as_bytes());
        unsigned.sign(&signature.id(), signature.as_bytes(), rules)
    }

    fn members(&self, rules: &RoomVersionRules) -> Result<Vec<(&'static str, String)>, BuildError> {
        let mut content = canonicalize(&self.content, strictness(rules))?;
        let object = Object::new(&content).map_err(|_| BuildError::ContentNotObject)?;
        let mut members = Vec::with_capacity(13);
        if let Some(redacts) = &self.redacts {
            if rules.redaction.content_field_redacts {
                content = with_member(object, "redacts", &quoted(redacts.as_str()));
            } else {
                members.push(("redacts", quoted(redacts.as_str())));
            }
        }
        members.push(("content", content));
        members.push(("auth_events", references(&self.auth_events, rules)?));
        members.push(("prev_events", references(&self.prev_events, rules)?));
        members.push(("depth", self.depth.to_string()));
        members.push(("origin_server_ts", self.origin_server_ts.get().to_string()));
        members.push(("sender", quoted(self.sender.as_str())));
        members.push(("type", quoted(&self.event_type)));
        members.extend(self.room_id.as_ref().map(|room_id| ("room_id", quoted(room_id.as_str()))));
        members.extend(self.state_key.as_ref().map(|state_key| ("state_key", quoted(state_key))));
        Ok(members)
    }
}

/// An event that lacks only its server's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsignedEvent {
    json: String,
    server: String,
}

impl UnsignedEvent {
    /// The bytes to sign.
    pub fn message(&self, rules: &RoomVersionRules) -> String {
        redact(Value::new(&self.json).as_object().unwrap_or_default(), &rules.redaction, &["signatures"])
    }

    /// Completes the event with the server's signature.
    ///
    /// # Errors
    ///
    /// When the event breaks the format of the room version, for instance its size.
    pub fn sign(self, key_id: &str, signature: &[u8], rules: &RoomVersionRules) -> Result<Pdu, BuildError> {
        let event = Value::new(&self.json).as_object().unwrap_or_default();
        let event = Pdu::parse(&with_signature(event, &self.server, key_id, signature), rules)?;
        match event.overlong_field() {
            Some(field) => Err(ParseError::TooLong(field).into()),
            None => Ok(event),
        }
    }
}

impl Pdu {
    /// The event with another server's or key's signature added.
    ///
    /// # Errors
    ///
    /// When the event becomes too large.
    pub fn with_signature(
        &self,
        server: &ServerName,
        key_id: &str,
        signature: &[u8],
    ) -> Result<Self, ParseError> {
        let json = with_signature(self.object(), server.as_str(), key_id, signature);
        if json.len() > super::MAX_PDU_BYTES {
            return Err(ParseError::TooLarge);
        }
        Self::from_stored(self.event_id().to_owned(), json)
    }

    /// The event signed by this server too. [S-S §12, `send_join`; §16, invites]
    ///
    /// # Errors
    ///
    /// When the event becomes too large.
    pub fn co_sign(
        &self,
        server: &ServerName,
        key: &impl KeyPair,
        rules: &RoomVersionRules,
    ) -> Result<Self, ParseError> {
        let signature = key.sign(super::signed_bytes(self, &rules.redaction).as_bytes());
        self.with_signature(server, &signature.id(), signature.as_bytes())
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    write_string(text, &mut out);
    out
}

fn references(references: &[EventReference], rules: &RoomVersionRules) -> Result<String, BuildError> {
    let mut out = String::from("[");
    for (index, reference) in references.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        reference.write(rules, &mut out)?;
    }
    out.push(']');
    Ok(out)
}

/// Writes an object of members with plain names.
fn assemble(members: &mut [(&'static str, String)]) -> String {
    members.sort_unstable_by_key(|(name, _)| *name);
    let mut out = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        out.push_str(value);
    }
    out.push('}');
    out
}

/// The object with a member set, in canonical order.
fn with_member(object: Object<'_>, name: &str, value: &str) -> String {
    let mut members: Vec<(Cow<'_, str>, &str)> = object
        .into_iter()
        .filter(|(key, _)| !key.is(name))
        .map(|(key, value)| (key.name(), value.text()))
        .collect();
    members.push((Cow::Borrowed(name), value));
    members.sort_unstable();
    let mut out = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(name, &mut out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

fn with_signature(event: Object<'_>, server: &str, key_id: &str, signature: &[u8]) -> String {
    let signatures = event.get("signatures").and_then(Value::as_object).unwrap_or_default();
    let of_server = signatures.get(server).and_then(Value::as_object).unwrap_or_default();
    let of_server = with_member(of_server, key_id, &quoted(&BASE64_STANDARD_NO_PAD.encode(signature)));
    let signatures = with_member(signatures, server, &of_server);
    with_member(event, "signatures", &signatures)
}

/// Signs a JSON object that is not an event, as canonical text. [appendices, signing JSON]
///
/// # Errors
///
/// When the text is not a JSON object.
pub fn sign_object(text: &str, server: &ServerName, key: &impl KeyPair) -> Result<String, BuildError> {
    let text = canonicalize(text, Strictness::Strict)?;
    let object = Object::new(&text).map_err(|_| BuildError::ContentNotObject)?;
    let signature = key.sign(without(object, &["signatures", "unsigned"]).as_bytes());
    Ok(with_signature(object, server.as_str(), &signature.id(), signature.as_bytes()))
}
