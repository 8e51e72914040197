//! What a room shows of the content repository, for administrators.

use serde::{Deserialize, Serialize};

use super::LogPosition;
use crate::command;

/// The content that events name, from the newest event on.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListRoomMedia {
    /// Of the events before this position.
    pub before: LogPosition,
}
command!(ListRoomMedia to Room -> RoomMediaPage);

/// Some of the content that events name.
#[derive(Debug, Serialize, Deserialize)]
pub struct RoomMediaPage {
    /// What events have as `url` and `info.thumbnail_url`, in no order.
    pub urls: Vec<String>,
    /// Where to go on, unless that was all.
    pub next: Option<LogPosition>,
}

/// The avatars of the room and of those joined members who are this server's users: as `mxc://` URIs, or whatever they
/// wrote.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetAvatars {}
command!(GetAvatars to Room -> Vec<String>);
