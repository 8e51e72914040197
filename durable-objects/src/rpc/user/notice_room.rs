//! The room in which the server talks to the user `[C-S §11.35]`.

use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};

use crate::command;

/// The user's notice room, if there is one.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetNoticeRoom {}
command!(GetNoticeRoom to User -> Option<OwnedRoomId>);

/// Makes a room the user's notice room and tags it, unless there is one: replies with the one that there is.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeepNoticeRoom {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(KeepNoticeRoom to User -> OwnedRoomId);

/// May the user leave the room, or decline the invitation to it? `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM`.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckMayLeave {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(CheckMayLeave to User -> ());
