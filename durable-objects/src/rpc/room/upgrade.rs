//! Replacing a room `[C-S §11.32]`.

use ruma::{OwnedRoomId, OwnedUserId, RoomVersionId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::NewState;
use crate::command;

/// What would the room that replaces this one start with? `M_FORBIDDEN` when the user may not replace it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlanUpgrade {
    /// Who wants to.
    pub sender: OwnedUserId,
    /// The new room's version, one that this server knows.
    pub version: RoomVersionId,
    /// The new room's creators besides the sender.
    pub additional_creators: Vec<OwnedUserId>,
}
command!(PlanUpgrade to Room -> UpgradePlan);

/// See [`PlanUpgrade`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpgradePlan {
    /// The content of the create event, but for what the version adds.
    pub creation_content: Map<String, Value>,
    /// The state after the creator's join, bans included, in order.
    pub state: Vec<NewState>,
}

/// The room is replaced: leaves a tombstone, gives up the aliases, and lets nobody but moderators speak. Only the
/// tombstone must succeed.
#[derive(Debug, Serialize, Deserialize)]
pub struct RetireRoom {
    /// Who replaced it.
    pub sender: OwnedUserId,
    /// The new room.
    pub replacement: OwnedRoomId,
}
command!(RetireRoom to Room -> ());
