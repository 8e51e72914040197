//! The room as part of a space, for those who may know of it `[C-S §11.34]`.

use ruma::{OwnedServerName, OwnedUserId, room::RoomSummary};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{command, rpc::as_json};

/// The room's summary, and its children if it is a space.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetSpaceEntry {
    /// Who asks.
    pub asker: SpaceAsker,
    /// Whether only children that are suggested count.
    pub suggested_only: bool,
}
command!(GetSpaceEntry to Room -> SpaceEntry);

/// Who asks for a [`SpaceEntry`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum SpaceAsker {
    /// A user of this server.
    User(OwnedUserId),
    /// Another server, for its users.
    Server(OwnedServerName),
    /// Anyone.
    Anyone,
}

/// See [`GetSpaceEntry`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum SpaceEntry {
    /// This server takes no part in the room.
    Unknown,
    /// Who asks may not know of the room.
    Inaccessible,
    /// What they may know.
    Accessible {
        /// The summary.
        #[serde(with = "as_json")]
        summary: Box<RoomSummary>,
        /// The `m.space.child` events in their order, without event ids and signatures.
        children: Vec<Box<RawValue>>,
    },
}

/// Whether any user of a server is joined.
#[derive(Debug, Serialize, Deserialize)]
pub struct HasServer {
    /// The server.
    pub server: OwnedServerName,
}
command!(HasServer to Room -> bool);
