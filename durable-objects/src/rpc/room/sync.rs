//! A room's part in the answer to a `/sync`.

use ruma::api::client::filter::{EventFormat, RoomEventFilter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{DeviceLists, LogPosition, Reader};
use crate::{command, rpc::as_json};

/// What is new to a client in the room.
#[derive(Debug, Serialize, Deserialize)]
pub struct SyncRoom {
    /// Who asks.
    pub reader: Reader,
    /// What tells the client from the user's other ones.
    pub client: u64,
    /// How far the client has seen the room; `None` when the room is new to it.
    pub from: Option<LogPosition>,
    /// How far it saw the room when the user was in it before, if the room is new to it since.
    pub before: Option<LogPosition>,
    /// Whether the client may have seen someone type in the room.
    pub saw_typing: bool,
    /// Whether the client knows of no room yet.
    pub is_first: bool,
    /// Whether the user is not in the room any more, as far as their own actor was told.
    pub has_left: bool,
    /// Whether all of the state is wanted.
    pub full_state: bool,
    /// Whether the state is wanted as it is after the timeline `[C-S §6.4, use_state_after]`.
    pub use_state_after: bool,
    /// Which events of the timeline, and how many.
    #[serde(with = "as_json")]
    pub timeline: RoomEventFilter,
    /// Which state, and whether members are lazy-loaded.
    #[serde(with = "as_json")]
    pub state: RoomEventFilter,
    /// Which ephemeral events.
    #[serde(with = "as_json")]
    pub ephemeral: RoomEventFilter,
    /// Which members of events; `None` for all.
    pub event_fields: Option<Vec<String>>,
    /// The form of events.
    pub event_format: EventFormat,
    /// The content of the user's `m.push_rules`; `None` when they have changed none.
    pub push_rules: Option<Box<RawValue>>,
}
command!(SyncRoom to Room -> SyncedRoom);

/// The answer to [`SyncRoom`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SyncedRoom {
    /// Up to where the client has seen the room with this.
    pub position: LogPosition,
    /// Where in the answer it belongs; `None` when there is nothing to show.
    pub section: Option<RoomSection>,
    /// A JSON object.
    pub json: Box<RawValue>,
    /// Whose devices the client is to look at anew.
    pub device_lists: DeviceLists,
    /// Whether someone types in the room, as the client sees it now.
    pub is_typing: bool,
}

/// The sections of `rooms` that rooms fill themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomSection {
    /// `join`
    Join,
    /// `leave`
    Leave,
}
