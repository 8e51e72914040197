//! What other servers, and their actors here, ask of a room.

use ruma::OwnedServerName;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::LogPosition;
use crate::command;

/// What a server in the room is owed after a log position: events made here while it was in the
/// room, and what else of the log concerns it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PullForServer {
    /// The server.
    pub server: OwnedServerName,
    /// Everything up to here it has.
    pub after: LogPosition,
    /// At most so many events.
    pub limit: usize,
    /// The server was away for long: instead of all events, only the room's latest, from which it
    /// fetches the others by itself.
    pub catch_up: bool,
}
command!(PullForServer to Room -> PulledForServer);

/// The answer to [`PullForServer`].
#[derive(Debug, Serialize, Deserialize)]
pub struct PulledForServer {
    /// Events in their federation format.
    pub pdus: Vec<Box<RawValue>>,
    /// EDUs, such as receipts: type and content.
    pub edus: Vec<(String, Box<RawValue>)>,
    /// The log position up to which this is everything.
    pub position: LogPosition,
    /// Whether the log goes on.
    pub more: bool,
}
