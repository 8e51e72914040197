//! The published room directory `[C-S §11.2.2]`.

use ruma::{
    OwnedRoomId,
    directory::{Filter, PublicRoomsChunk, RoomNetwork},
};
use serde::{Deserialize, Serialize};

use crate::{command, rpc::as_json};

/// Puts a room in a list of the directory. Its entry is asked of the room when somebody looks.
#[derive(Debug, Serialize, Deserialize)]
pub struct PublishRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The third-party network whose list it is; empty for this server's own.
    pub network: String,
}
command!(PublishRoom to Directory -> ());

/// Takes a room from a list of the directory.
#[derive(Debug, Serialize, Deserialize)]
pub struct UnpublishRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// As in [`PublishRoom`].
    pub network: String,
}
command!(UnpublishRoom to Directory -> ());

/// Is the room in this server's own list?
#[derive(Debug, Serialize, Deserialize)]
pub struct IsRoomPublished {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(IsRoomPublished to Directory -> bool);

/// A room's entry is out of date; the directory asks the room when somebody looks. Replies whether the room is
/// published at all.
#[derive(Debug, Serialize, Deserialize)]
pub struct MarkRoomChanged {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(MarkRoomChanged to Directory -> bool);

/// A page of the directory, rooms with the most members first.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListPublishedRooms {
    /// How many rooms at most.
    pub limit: u32,
    /// Where to go on: a `next_batch` or `prev_batch` of an earlier page. `M_INVALID_PARAM` when it is neither.
    pub since: Option<String>,
    /// Which rooms.
    #[serde(with = "as_json")]
    pub filter: Filter,
    /// Which lists.
    #[serde(with = "as_json")]
    pub room_network: RoomNetwork,
}
command!(ListPublishedRooms to Directory -> PublishedRooms);

/// One page.
#[derive(Debug, Serialize, Deserialize)]
pub struct PublishedRooms {
    /// The rooms.
    #[serde(with = "as_json")]
    pub chunk: Vec<PublicRoomsChunk>,
    /// Where the next page begins, if there is one.
    pub next_batch: Option<String>,
    /// Where the page before begins, if there is one.
    pub prev_batch: Option<String>,
    /// How many rooms the lists have, whatever the filter.
    pub total: u64,
}
