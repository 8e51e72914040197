//! The room's part in the user directory.

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::{command, rpc::directory::UserEntry};

/// The joined users of other servers whose id or name matches, the best first. None for who is not in the room, unless
/// everyone may join or read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchMembers {
    /// Who asks.
    pub user_id: OwnedUserId,
    /// What was typed.
    pub term: String,
    /// How many at most.
    pub limit: u32,
}
command!(SearchMembers to Room -> Vec<UserEntry>);
