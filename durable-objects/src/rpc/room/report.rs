//! What is reported of a room `[C-S §11.20]`.

use ruma::{OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// What administrators want to know of a room, or of an event in it, that a user reports. `M_NOT_FOUND` for a room
/// that is not known, and for an event that the user may not see or whose room they are not joined to.
#[derive(Debug, Serialize, Deserialize)]
pub struct DescribeReported {
    /// Who reports.
    pub reporter: OwnedUserId,
    /// The event, or `None` for the room.
    pub event_id: Option<OwnedEventId>,
}
command!(DescribeReported to Room -> Reported);

/// See [`DescribeReported`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Reported {
    /// The room's name.
    pub room_name: Option<String>,
    /// The room's canonical alias.
    pub canonical_alias: Option<String>,
    /// The sender of the event, and the event in the form that servers exchange.
    pub event: Option<(OwnedUserId, Box<RawValue>)>,
}
