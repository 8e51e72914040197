//! The user directory `[C-S §11.32]`.

use ruma::{OwnedMxcUri, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// A user as the directory shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEntry {
    /// The user.
    pub user_id: OwnedUserId,
    /// Their display name.
    pub display_name: Option<String>,
    /// Their avatar.
    pub avatar_url: Option<OwnedMxcUri>,
}

/// A user of this server is new, is gone, or has another profile.
#[derive(Debug, Serialize, Deserialize)]
pub struct MarkUserChanged {
    /// The user.
    pub user_id: OwnedUserId,
}
command!(MarkUserChanged to Directory -> ());

/// Everyone may join or read a room, or no longer.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetRoomOpen {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Which of both.
    pub is_open: bool,
}
command!(SetRoomOpen to Directory -> ());

/// This server's users whose id or display name matches, the best first, whoever may know of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct SearchUsers {
    /// What was typed.
    pub term: String,
    /// How many at most.
    pub limit: u32,
}
command!(SearchUsers to Directory -> Vec<UserEntry>);

/// Which rooms everyone may join or read: those among some, or any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListOpenRooms {
    /// Among these; `None`: any.
    pub among: Option<Vec<OwnedRoomId>>,
    /// How many at most.
    pub limit: u32,
}
command!(ListOpenRooms to Directory -> Vec<OwnedRoomId>);
