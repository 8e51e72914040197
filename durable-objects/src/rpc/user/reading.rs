//! What a user's account has to do with reading a room.

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{command, rpc::room::LogPosition};

/// Asked before a client reads a room's timeline.
#[derive(Debug, Serialize, Deserialize)]
pub struct OpenRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Tokens of `/sync` from which the client wants to read on.
    pub sync_tokens: Vec<String>,
}
command!(OpenRoom to User -> OpenedRoom);

/// See [`OpenRoom`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OpenedRoom {
    /// Users whose events are left out `[C-S §11.25]`.
    pub ignored_users: Vec<OwnedUserId>,
    /// How far the client had seen the room at each of the tokens; `None` for what is no token.
    pub positions: Vec<Option<LogPosition>>,
}
