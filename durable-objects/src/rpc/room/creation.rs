//! Making rooms.

use ruma::{OwnedUserId, RoomVersionId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::MemberProfile;
use crate::command;

/// Makes the room: its create event, the creator's join, state, then invitations, all or none.
/// `M_INVALID_ROOM_STATE` when the authorisation rules forbid one of them. Replies `false` when there is such a room
/// already: since room version 12 the same creator makes the same room twice in one millisecond.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateRoom {
    /// The room's version.
    pub version: RoomVersionId,
    /// The `m.room.create` event, signed: canonical JSON.
    pub create: String,
    /// The creator's profile.
    pub creator: MemberProfile,
    /// State that follows the creator's join, in order.
    pub state: Vec<NewState>,
    /// Who is invited.
    pub invite: Vec<Invitee>,
    /// Whether the room is for talking to the invitees directly `[C-S §11.28]`.
    pub is_direct: bool,
}
command!(CreateRoom to Room -> bool);

/// A state event to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewState {
    /// The type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// The content.
    pub content: Box<RawValue>,
}

/// A user to invite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invitee {
    /// The user.
    pub user_id: OwnedUserId,
    /// Their profile, as far as it is known.
    pub profile: MemberProfile,
}
