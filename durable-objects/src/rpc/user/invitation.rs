//! Whether a user takes invitations.

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::command;

/// Somebody invites the user to a room: replies with the user's profile. `M_INVITE_BLOCKED` when the user takes no
/// invitations `[C-S §11.26]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct PrepareInvitation {
    /// Who invites.
    pub inviter: OwnedUserId,
}
command!(PrepareInvitation to User -> Map<String, Value>);
