//! Presence.

use ruma::{OwnedRoomId, OwnedUserId, presence::PresenceState};
use serde::{Deserialize, Serialize};

use crate::command;

/// A client says how the user is to appear. `M_INVALID_PARAM`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetPresence {
    /// The state.
    pub state: PresenceState,
    /// What the user is doing.
    pub status_msg: Option<String>,
}
command!(SetPresence to User -> ());

/// How does the user appear to someone who is in these rooms? `M_FORBIDDEN` when they share none.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetPresence {
    /// The rooms of who asks; `None` for the user's own question.
    pub rooms: Option<Vec<OwnedRoomId>>,
}
command!(GetPresence to User -> Presence);

/// How did another user appear to this one last? `None` when nothing was told, or it is forgotten.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetSeenPresence {
    /// The other.
    pub user_id: OwnedUserId,
}
command!(GetSeenPresence to User -> Option<Presence>);

/// How a user appears. As an EDU has it `[S-S §7]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The user.
    pub user_id: OwnedUserId,
    /// The state.
    pub presence: PresenceState,
    /// What they are doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_msg: Option<String>,
    /// How long ago they last did something, in milliseconds.
    #[serde(default)]
    pub last_active_ago: u64,
    /// Whether that was just now.
    #[serde(default)]
    pub currently_active: bool,
}

/// Users with whom this user shares a room now appear like this.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NotePresence {
    /// Who, and how.
    pub updates: Vec<Presence>,
}
command!(NotePresence to User -> ());

/// A user has joined a room that this user is in: replies with how this user appears, unless offline.
#[derive(Debug, Serialize, Deserialize)]
pub struct GreetUser {
    /// How the other appears.
    pub presence: Presence,
}
command!(GreetUser to User -> Option<Presence>);
