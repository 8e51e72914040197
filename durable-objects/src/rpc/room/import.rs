//! Joining a room that this server takes no part in.

use ruma::{OwnedServerName, RoomVersionId};
use serde::{Deserialize, Serialize};

use super::CheckedEvent;
use crate::command;

/// Reserves the room for a join through another server.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReserveImport {}
command!(ReserveImport to Room -> Reservation);

/// See [`ReserveImport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reservation {
    /// The room is to be imported, by who has this token; it lapses when nothing is done with it.
    Import(u64),
    /// Somebody else is about to import the room.
    Busy,
    /// This server takes part: the join alone is enough.
    Here,
}

/// Gives a reservation back, after a join that did not succeed.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReleaseImport {
    /// The reservation.
    pub token: u64,
}
command!(ReleaseImport to Room -> ());

/// Begins the import.
#[derive(Debug, Serialize, Deserialize)]
pub struct BeginImport {
    /// The reservation.
    pub token: u64,
    /// The room's version.
    pub version: RoomVersionId,
}
command!(BeginImport to Room -> ());

/// Takes in a piece of the room: verified events, in whatever order.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImportPiece {
    /// The reservation.
    pub token: u64,
    /// Events of the auth chain.
    pub auth_chain: Vec<CheckedEvent>,
    /// Events of the state before the join.
    pub state: Vec<CheckedEvent>,
}
command!(ImportPiece to Room -> ());

/// Ends the import with the join. `M_FORBIDDEN` when the state that came with it does not allow it.
#[derive(Debug, Serialize, Deserialize)]
pub struct FinishImport {
    /// The reservation.
    pub token: u64,
    /// The join.
    pub join: CheckedEvent,
    /// When members were left out of the state: the servers that are said to take part, first the one to ask for the
    /// rest.
    pub without_members: Option<Vec<OwnedServerName>>,
}
command!(FinishImport to Room -> ());
