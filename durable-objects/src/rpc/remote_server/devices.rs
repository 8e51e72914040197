//! Devices and keys of the server's users.

use std::collections::BTreeMap;

use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{command, rpc::user::UserKeys};

/// The keys of users of the server. An error when they are not known here and the server does not answer in time.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueryRemoteKeys {
    /// Which users, and which of their devices: none for all.
    pub users: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
    /// How long the server is waited for, in milliseconds.
    pub timeout_ms: u32,
}
command!(QueryRemoteKeys to RemoteServer -> BTreeMap<OwnedUserId, UserKeys>);
