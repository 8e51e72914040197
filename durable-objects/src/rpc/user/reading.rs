//! What a user's account has to do with reading a room.

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

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

/// Asked before a client reads all that it may: the rooms that the user is or was in and has not forgotten.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListReadableRooms {}
command!(ListReadableRooms to User -> ReadableRooms);

/// Asked before a client lists notifications: the rooms in which the user is joined, and their rules.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListNotifyingRooms {}
command!(ListNotifyingRooms to User -> NotifyingRooms);

/// See [`ListNotifyingRooms`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NotifyingRooms {
    /// Users whose events are left out `[C-S §11.25]`.
    pub ignored_users: Vec<OwnedUserId>,
    /// The content of the user's `m.push_rules`; `None` when they have changed none.
    pub push_rules: Option<Box<RawValue>>,
    /// The rooms, those first that changed last.
    pub rooms: Vec<OwnedRoomId>,
}

/// See [`ListReadableRooms`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReadableRooms {
    /// Users whose events are left out `[C-S §11.25]`.
    pub ignored_users: Vec<OwnedUserId>,
    /// The rooms, those first that changed last.
    pub rooms: Vec<OwnedRoomId>,
}

/// See [`OpenRoom`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OpenedRoom {
    /// Users whose events are left out `[C-S §11.25]`.
    pub ignored_users: Vec<OwnedUserId>,
    /// How far the client had seen the room at each of the tokens; `None` for what is no token, and
    /// where the user never was in the room.
    pub positions: Vec<Option<LogPosition>>,
}
