//! Aliases of this server's domain `[C-S §11.2.1]`.

use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// Gives a room an alias. Replies whether it was free.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateRoomAlias {
    /// The alias, of this server's domain.
    pub alias: OwnedRoomAliasId,
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who makes it.
    pub creator: OwnedUserId,
}
command!(CreateRoomAlias to Directory -> bool);

/// Which room has this alias?
#[derive(Debug, Serialize, Deserialize)]
pub struct ResolveRoomAlias {
    /// The alias.
    pub alias: OwnedRoomAliasId,
}
command!(ResolveRoomAlias to Directory -> Option<RoomAlias>);

/// What an alias stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomAlias {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Who made the alias.
    pub creator: OwnedUserId,
}

/// Takes an alias away, unless it names another room by now. Replies whether it was there.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteRoomAlias {
    /// The alias.
    pub alias: OwnedRoomAliasId,
    /// The room that it names.
    pub room_id: OwnedRoomId,
}
command!(DeleteRoomAlias to Directory -> bool);

/// All aliases of a room, in alphabetical order.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListRoomAliases {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(ListRoomAliases to Directory -> Vec<OwnedRoomAliasId>);

/// Moves a room's aliases and its places in the published room directory to the room that replaces it
/// `[C-S §11.32]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReplaceRoom {
    /// The old room.
    pub old: OwnedRoomId,
    /// The new one.
    pub new: OwnedRoomId,
}
command!(ReplaceRoom to Directory -> ());
