//! The queue to the server, for those who look after it.

use serde::{Deserialize, Serialize};

use crate::command;

/// How the queue fares.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetDestination {}
command!(GetDestination to RemoteServer -> Destination);

/// See [`GetDestination`]. Times are in milliseconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// The last failure in a row, 0 when the server takes what it is sent.
    pub retry_last_ts: u64,
    /// How long after it the next attempt is made, in milliseconds.
    pub retry_interval: u64,
    /// The first failure in a row.
    pub failure_ts: Option<u64>,
}

/// The rooms of which the server has been sent something.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListDestinationRooms {
    /// How many are passed over.
    pub from: u32,
    /// How many at most.
    pub limit: u32,
    /// Whether the last room id comes first.
    pub is_backward: bool,
}
command!(ListDestinationRooms to RemoteServer -> DestinationRooms);

/// See [`ListDestinationRooms`].
#[derive(Debug, Serialize, Deserialize)]
pub struct DestinationRooms {
    /// Room ids, and the position in the room's log up to which the server has everything.
    pub rooms: Vec<(String, u64)>,
    /// How many there are.
    pub total: u64,
}

/// Tries again at once, and goes on waiting for as short a time as after a first failure. `M_UNKNOWN` (400) when no
/// attempt is put off.
#[derive(Debug, Serialize, Deserialize)]
pub struct ResetConnection {}
command!(ResetConnection to RemoteServer -> ());
