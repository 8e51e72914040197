//! Account data and tags.

use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use crate::command;

/// Sets the account data of one type. `M_TOO_LARGE`. Which types a client may set is for the caller to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetAccountData {
    /// The room; `None` for what belongs to no room.
    pub room_id: Option<OwnedRoomId>,
    /// The event type.
    pub kind: String,
    /// The content.
    pub content: Map<String, Value>,
}
command!(SetAccountData to User -> ());

/// The account data of one type. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetAccountData {
    /// The room; `None` for what belongs to no room.
    pub room_id: Option<OwnedRoomId>,
    /// The event type.
    pub kind: String,
}
command!(GetAccountData to User -> Box<RawValue>);

/// All account data of a room: events.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListRoomAccountData {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(ListRoomAccountData to User -> Vec<Box<RawValue>>);

/// Tags a room, or takes a tag away `[C-S §11.18]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetTag {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The tag.
    pub tag: String,
    /// What the client says of it, such as its order; `None` takes the tag away.
    pub info: Option<Map<String, Value>>,
}
command!(SetTag to User -> ());
