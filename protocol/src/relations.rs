//! How events relate to one another. [C-S §8.5.7, relationships; §11.3 replacements, annotations, threads, references]

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ruma::{EventId, OwnedEventId};

use crate::{event::Pdu, json::Value};

/// The relation of a child event to its parent: its `m.relates_to` with a `rel_type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation<'a> {
    /// The kind, such as `m.thread`.
    pub rel_type: Cow<'a, str>,
    /// The parent.
    pub event_id: OwnedEventId,
    /// What an `m.annotation` says.
    pub key: Option<Cow<'a, str>>,
}

impl Relation<'_> {
    /// The kind of an edit.
    pub const REPLACE: &'static str = "m.replace";
    /// The kind of a message in a thread.
    pub const THREAD: &'static str = "m.thread";
    /// The kind of a reaction.
    pub const ANNOTATION: &'static str = "m.annotation";
    /// The kind of a reference.
    pub const REFERENCE: &'static str = "m.reference";
}

/// The relation that an event declares; `None` where there is none or where it is malformed and thus ignored.
///
/// State events have no relations, and neither has an annotation without a `key`.
pub fn relation(event: &Pdu) -> Option<Relation<'_>> {
    if event.state_key().is_some() {
        return None;
    }
    let relates_to = event.content_object().get("m.relates_to")?.as_object()?;
    let rel_type = relates_to.get("rel_type")?.as_str()?;
    let event_id = OwnedEventId::try_from(&*relates_to.get("event_id")?.as_str()?).ok()?;
    let key = relates_to.get("key").and_then(Value::as_str);
    if rel_type == Relation::ANNOTATION && key.is_none() || event_id == event.event_id() {
        return None;
    }
    Some(Relation { rel_type, event_id, key })
}

/// The event that this one replies to, by `m.in_reply_to`.
pub fn in_reply_to(event: &Pdu) -> Option<OwnedEventId> {
    let relates_to = event.content_object().get("m.relates_to")?.as_object()?;
    let event_id = relates_to.get("m.in_reply_to")?.as_object()?.get("event_id")?.as_str()?;
    OwnedEventId::try_from(&*event_id).ok()
}

/// The root of the thread that an event belongs to by itself; `None` for the main timeline.
///
/// An event that relates to another in another way belongs where that one does: see [`thread_parent`].
pub fn thread_root(event: &Pdu) -> Option<OwnedEventId> {
    relation(event).filter(|relation| relation.rel_type == Relation::THREAD).map(|relation| relation.event_id)
}

/// The event whose thread this one shares: the parent of an edit, reaction or reference. [C-S receipts, threaded]
pub fn thread_parent(event: &Pdu) -> Option<OwnedEventId> {
    relation(event).filter(|relation| relation.rel_type != Relation::THREAD).map(|relation| relation.event_id)
}

/// Why a client must not send an event with this relation to this parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelationError {
    /// A thread cannot start at an event that relates to another. `M_UNKNOWN`
    #[error("cannot start a thread from an event that relates to another")]
    ThreadFromRelated,
}

/// Checks a relation that a client wants to make. [C-S §11.3, validation of `m.thread` relationships]
///
/// # Errors
///
/// When the parent cannot have such a child.
pub fn check_new_relation(child: &Relation<'_>, parent: &Pdu) -> Result<(), RelationError> {
    if child.rel_type == Relation::THREAD && relation(parent).is_some() {
        return Err(RelationError::ThreadFromRelated);
    }
    Ok(())
}

/// Whether an edit counts for the event that it names. [C-S §11.3, validity of replacement events]
///
/// `m.new_content` of an encrypted edit is not seen by servers, and counts as present.
pub fn is_valid_replacement(original: &Pdu, replacement: &Pdu) -> bool {
    let content = replacement.content_object();
    relation(replacement).is_some_and(|relation| {
        relation.rel_type == Relation::REPLACE && *relation.event_id == *original.event_id()
    }) && original.room_id() == replacement.room_id()
        && original.sender() == replacement.sender()
        && original.event_type() == replacement.event_type()
        && original.state_key().is_none()
        && relation(original).is_none_or(|relation| relation.rel_type != Relation::REPLACE)
        && (replacement.event_type() == "m.room.encrypted"
            || content.get("m.new_content").and_then(Value::as_object).is_some())
}

/// Whether a child counts in what the server bundles with its parent under `unsigned`, `m.relations`.
///
/// Besides, it must not be redacted (a redacted event has no relation), and its sender must not be ignored by the user
/// who asks, nor the event be hidden from them.
pub fn is_bundled(parent: &Pdu, child: &Pdu) -> bool {
    // State events get no bundled aggregations.
    if parent.state_key().is_some() || parent.room_id() != child.room_id() {
        return false;
    }
    let Some(relation) = relation(child).filter(|relation| *relation.event_id == *parent.event_id()) else {
        return false;
    };
    match &*relation.rel_type {
        Relation::REPLACE => is_valid_replacement(parent, child),
        // A thread does not start at an event that relates to another.
        Relation::THREAD => self::relation(parent).is_none(),
        Relation::REFERENCE => true,
        // Annotations are for clients to count.
        _ => false,
    }
}

/// Which of two edits is the more recent: by time, then by event id.
pub fn newer_replacement<'a>(a: &'a Pdu, b: &'a Pdu) -> &'a Pdu {
    let age = |edit: &'a Pdu| -> (_, &'a EventId) { (edit.origin_server_ts(), edit.event_id()) };
    if age(a) >= age(b) { a } else { b }
}
