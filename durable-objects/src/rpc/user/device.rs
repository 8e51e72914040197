//! Devices.

use ruma::{OwnedDeviceId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// The user's devices.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListDevices {}
command!(ListDevices to User -> Vec<Device>);

/// Tells the servers of a room that the user is in what devices there are.
#[derive(Debug, Serialize, Deserialize)]
pub struct IntroduceDevices {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(IntroduceDevices to User -> ());

/// One of the user's devices. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetDevice {
    /// Which.
    pub device_id: OwnedDeviceId,
}
command!(GetDevice to User -> Device);

/// A device of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// Its name for people.
    pub display_name: Option<String>,
    /// About when it was last used, in milliseconds since the epoch.
    pub last_seen_ts: u64,
    /// From which address; empty when not known.
    pub last_seen_ip: String,
    /// By which software; empty when not known.
    pub last_user_agent: String,
}

/// Names a device. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct RenameDevice {
    /// Which.
    pub device_id: OwnedDeviceId,
    /// The name; `None` leaves it as it is.
    pub display_name: Option<String>,
}
command!(RenameDevice to User -> ());

/// Removes devices with all that is theirs, their tokens first of all. Those that do not exist count as removed.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveDevices {
    /// Which.
    pub device_ids: Vec<OwnedDeviceId>,
}
command!(RemoveDevices to User -> ());

/// A new token that proves to a third party who the user is `[C-S §11.23]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct IssueOpenIdToken {}
command!(IssueOpenIdToken to User -> IssuedToken);

/// A new token that logs in once, on another device `[C-S §5.7.2, get_token]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct IssueLoginToken {}
command!(IssueLoginToken to User -> IssuedToken);

/// A token and its lifetime.
#[derive(Serialize, Deserialize)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// How long it is valid, in milliseconds.
    pub expires_in_ms: u64,
}

/// Whose OpenID token is this? `None` when it is nobody's or has expired.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckOpenIdToken {
    /// The token's SHA-256, unpadded URL-safe base64.
    pub token_hash: String,
}
command!(CheckOpenIdToken to User -> Option<OwnedUserId>);

/// Logs in by a login token. `M_FORBIDDEN` when it is not valid.
#[derive(Debug, Serialize, Deserialize)]
pub struct LogInWithToken {
    /// The token's SHA-256, unpadded URL-safe base64.
    pub token_hash: String,
    /// The client.
    pub login: super::NewLogin,
}
command!(LogInWithToken to User -> super::LoggedIn);
