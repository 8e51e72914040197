//! The fields of an event, found in one pass over its text.

use std::borrow::Cow;

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, UInt};

use super::parse::ParseError;
use crate::json::{Object, Value};

/// A part of an event's text. An event has at most 65,536 bytes, the last of which is its closing brace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// Where `part` stands in `whole`, of which it is a slice.
    pub(crate) fn of(part: &str, whole: &str) -> Option<Self> {
        let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
        let end = start.checked_add(part.len()).filter(|end| *end <= whole.len())?;
        Some(Self { start: start.try_into().ok()?, end: end.try_into().ok()? })
    }

    pub(crate) fn get(self, whole: &str) -> &str {
        whole.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}

/// A string of an event: a part of its text, or decoded if it is written with escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    Plain(Span),
    Decoded(Box<str>),
}

impl Text {
    fn of(string: Cow<'_, str>, whole: &str) -> Option<Self> {
        match string {
            Cow::Borrowed(part) => Span::of(part, whole).map(Self::Plain),
            Cow::Owned(decoded) => Some(Self::Decoded(decoded.into())),
        }
    }

    pub(super) fn get<'a>(&'a self, whole: &'a str) -> &'a str {
        match self {
            Self::Plain(span) => span.get(whole),
            Self::Decoded(decoded) => decoded,
        }
    }
}

/// The members of an event that servers agree on; the rest is not looked at.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) event_id: Option<Value<'a>>,
    pub(super) room_id: Option<Value<'a>>,
    sender: Option<Value<'a>>,
    event_type: Option<Value<'a>>,
    state_key: Option<Value<'a>>,
    content: Option<Value<'a>>,
    origin_server_ts: Option<Value<'a>>,
    depth: Option<Value<'a>>,
    pub(super) prev_events: Option<Value<'a>>,
    pub(super) auth_events: Option<Value<'a>>,
    pub(super) hashes: Option<Value<'a>>,
    pub(super) signatures: Option<Value<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn find(event: Object<'a>) -> Self {
        let mut fields = Self::default();
        for (key, value) in event {
            let field = match &*key.name() {
                "event_id" => &mut fields.event_id,
                "room_id" => &mut fields.room_id,
                "sender" => &mut fields.sender,
                "type" => &mut fields.event_type,
                "state_key" => &mut fields.state_key,
                "content" => &mut fields.content,
                "origin_server_ts" => &mut fields.origin_server_ts,
                "depth" => &mut fields.depth,
                "prev_events" => &mut fields.prev_events,
                "auth_events" => &mut fields.auth_events,
                "hashes" => &mut fields.hashes,
                "signatures" => &mut fields.signatures,
                _ => continue,
            };
            *field = Some(value);
        }
        fields
    }

    pub(super) fn sender(&self) -> Result<Cow<'a, str>, ParseError> {
        string("sender", self.sender)
    }

    pub(super) fn event_type(&self) -> Result<Cow<'a, str>, ParseError> {
        string("type", self.event_type)
    }

    pub(super) fn state_key(&self) -> Result<Option<Cow<'a, str>>, ParseError> {
        self.state_key.map(|value| string("state_key", Some(value))).transpose()
    }

    pub(super) fn event_type_text(&self, whole: &str) -> Result<Text, ParseError> {
        Text::of(self.event_type()?, whole).ok_or(ParseError::TooLarge)
    }

    pub(super) fn state_key_text(&self, whole: &str) -> Result<Option<Text>, ParseError> {
        self.state_key()?.map(|state_key| Text::of(state_key, whole).ok_or(ParseError::TooLarge)).transpose()
    }

    pub(super) fn content(&self, whole: &str) -> Result<Span, ParseError> {
        let content = self.content.ok_or(ParseError::Missing("content"))?;
        content.as_object().ok_or(ParseError::Type("content"))?;
        Span::of(content.text(), whole).ok_or(ParseError::TooLarge)
    }

    pub(super) fn origin_server_ts(&self) -> Result<MilliSecondsSinceUnixEpoch, ParseError> {
        let value = self.origin_server_ts.ok_or(ParseError::Missing("origin_server_ts"))?;
        let ts = value.as_integer().ok_or(ParseError::Type("origin_server_ts"))?;
        UInt::try_from(ts).map(MilliSecondsSinceUnixEpoch).map_err(|_| ParseError::Range("origin_server_ts"))
    }

    pub(super) fn depth(&self) -> Result<u64, ParseError> {
        let value = self.depth.ok_or(ParseError::Missing("depth"))?;
        let depth = value.as_integer().ok_or(ParseError::Type("depth"))?;
        depth.try_into().map_err(|_| ParseError::Range("depth"))
    }

    pub(super) fn prev_events(&self) -> Result<Box<[OwnedEventId]>, ParseError> {
        references("prev_events", self.prev_events)
    }

    pub(super) fn auth_events(&self) -> Result<Box<[OwnedEventId]>, ParseError> {
        references("auth_events", self.auth_events)
    }
}

/// A required string field.
pub(super) fn string<'a>(name: &'static str, value: Option<Value<'a>>) -> Result<Cow<'a, str>, ParseError> {
    value.ok_or(ParseError::Missing(name))?.as_str().ok_or(ParseError::Type(name))
}

/// Reads `["$id", ...]`, or `[["$id", {"sha256": "..."}], ...]` as in room versions 1 and 2.
fn references(name: &'static str, value: Option<Value<'_>>) -> Result<Box<[OwnedEventId]>, ParseError> {
    let references = value.ok_or(ParseError::Missing(name))?.as_array().ok_or(ParseError::Type(name))?;
    references
        .into_iter()
        .map(|reference| {
            let id = match reference.as_array() {
                Some(pair) => {
                    let mut pair = pair.into_iter();
                    let id = pair.next().ok_or(ParseError::Type(name))?;
                    let hash = pair.next().ok_or(ParseError::Type(name))?;
                    if hash.as_object().is_none() || pair.next().is_some() {
                        return Err(ParseError::Type(name));
                    }
                    id
                }
                None => reference,
            };
            let id = id.as_str().ok_or(ParseError::Type(name))?;
            OwnedEventId::try_from(&*id).map_err(|_| ParseError::Identifier(name))
        })
        .collect()
}
