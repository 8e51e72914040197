//! Who reads a room.

use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

/// Who reads, and what their account has to do with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reader {
    /// The user.
    pub user_id: OwnedUserId,
    /// The user's device, which sees its own transaction ids.
    pub device_id: OwnedDeviceId,
    /// Users whose events are left out `[C-S §11.25]`.
    pub ignored_users: Vec<OwnedUserId>,
}
