//! Devices and keys of the server's users.

use std::collections::BTreeMap;

use ruma::{OwnedDeviceId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{command, matrix_error::MatrixError, rpc::user::UserKeys};

/// The keys of users of the server: those that are known here to be right, others as the server tells.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueryRemoteKeys {
    /// Which users, and which of their devices: none for all.
    pub users: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
    /// How long the server is waited for, in milliseconds.
    pub timeout_ms: u32,
}
command!(QueryRemoteKeys to RemoteServer -> RemoteKeys);

/// Keys of users of another server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoteKeys {
    /// By user.
    pub users: BTreeMap<OwnedUserId, UserKeys>,
    /// Why some are missing.
    pub failure: Option<MatrixError>,
}

/// The server now takes part in a room.
#[derive(Debug, Serialize, Deserialize)]
pub struct RoomShared {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(RoomShared to RemoteServer -> ());

/// The server may not tell us any more when these users change their devices.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetDevices {
    /// Users of the server who left a room.
    pub users: Vec<OwnedUserId>,
    /// A room that nobody of this server is in any more.
    pub room_id: Option<OwnedRoomId>,
}
command!(ForgetDevices to RemoteServer -> ());
