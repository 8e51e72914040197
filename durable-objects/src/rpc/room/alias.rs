//! A room's part in its aliases, and in the published room directory.

use ruma::{OwnedRoomAliasId, OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// What may a user do about the room's aliases and its place in the directory?
#[derive(Debug, Serialize, Deserialize)]
pub struct GetAliasRights {
    /// The user; `None` for a client that is not logged in.
    pub user_id: Option<OwnedUserId>,
}
command!(GetAliasRights to Room -> AliasRights);

/// See [`GetAliasRights`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRights {
    /// Whether the room is known here.
    pub is_known: bool,
    /// Whether the user is joined.
    pub is_joined: bool,
    /// Whether everybody may look into the room.
    pub is_world_readable: bool,
    /// Whether the user has the power to set the canonical alias.
    pub may_set_canonical: bool,
}

/// Takes an alias that is gone out of the room's `m.room.canonical_alias`, if it is there and the user may.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetAlias {
    /// Who took it away.
    pub user_id: OwnedUserId,
    /// The alias.
    pub alias: OwnedRoomAliasId,
}
command!(ForgetAlias to Room -> ());

/// The servers that take part in the room, at most 100, this one first if it does.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetResidentServers {}
command!(GetResidentServers to Room -> Vec<OwnedServerName>);
