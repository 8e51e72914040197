//! What a [`User`](crate::user) can be asked.

use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// Whose access token is this? Answers `M_UNKNOWN_TOKEN` when it is nobody's, or no longer valid.
#[derive(Debug, Serialize, Deserialize)]
pub struct Authenticate {
    /// The token's SHA-256, unpadded URL-safe base64.
    pub token_hash: String,
    /// The address that the client uses now.
    pub address: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
}
command!(Authenticate to User -> Authenticated);

/// The owner of a valid token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Authenticated {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device that the token belongs to.
    pub device_id: OwnedDeviceId,
    /// Whether it is a guest account.
    pub is_guest: bool,
    /// Whether the user is an administrator.
    pub is_admin: bool,
}
