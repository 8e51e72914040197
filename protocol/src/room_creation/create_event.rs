//! The event that makes a room.

use ruma::{OwnedRoomId, OwnedUserId, room_version_rules::RoomVersionRules};
use thiserror::Error;

use crate::{
    auth::{Rejection, check_create},
    event::{Author, BuildError, EventBuilder, Pdu},
};

/// Why there is no such event.
#[derive(Debug, Error)]
pub enum CreateError {
    /// The content or its size is not what an event can have.
    #[error(transparent)]
    Malformed(#[from] BuildError),
    /// A rule forbids it.
    #[error(transparent)]
    Forbidden(#[from] Rejection),
}

/// Makes the `m.room.create` of a new room; its [`Pdu::room_id`] names the room, `room_id` is made up by the caller in room versions
/// that do not name rooms after this event (up to 11), and ignored in others.
///
/// # Errors
///
/// When the content is not JSON or breaks a rule.
pub fn build_create(
    rules: &RoomVersionRules,
    room_id: Option<OwnedRoomId>,
    sender: OwnedUserId,
    content: String,
    author: &Author<'_>,
) -> Result<Pdu, CreateError> {
    let builder = EventBuilder {
        room_id: room_id.filter(|_| rules.event_format.require_room_create_room_id),
        sender,
        event_type: "m.room.create".to_owned(),
        state_key: Some(String::new()),
        content,
        redacts: None,
        origin_server_ts: author.now,
        depth: 1,
        prev_events: Vec::new(),
        auth_events: Vec::new(),
        opaque_id: author.opaque_id(rules, 1),
    };
    let create = builder.build(author.server, author.key, rules)?;
    check_create(&rules.authorization, &create)?;
    Ok(create)
}
