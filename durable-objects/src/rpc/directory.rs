//! What the [`Directory`](crate::directory) can be asked.

mod destination;
mod published_room;
mod pusher_owner;
mod registration;
mod report;
mod room_alias;
mod third_party_id;
mod user_entry;

use serde::{Deserialize, Serialize};

pub use self::{
    destination::*, published_room::*, pusher_owner::*, registration::*, report::*, room_alias::*,
    third_party_id::*, user_entry::*,
};
use crate::command;

/// The server's signing keys. They are made at the first call.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetSigningKeys {}
command!(GetSigningKeys to Directory -> SigningKeys);

/// The key that signs now, and those that signed before.
#[derive(Clone, Serialize, Deserialize)]
pub struct SigningKeys {
    /// The seed of the key that signs now: 32 bytes, unpadded base64. Secret.
    pub seed: String,
    /// The version part of its key id (`ed25519:VERSION`).
    pub version: String,
    /// Keys that no longer sign.
    pub old: Vec<OldVerifyKey>,
}

/// A public key that signed until `expired_ts`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OldVerifyKey {
    /// The version part of its key id.
    pub version: String,
    /// The public key: 32 bytes, unpadded base64.
    pub public: String,
    /// When it was replaced, in milliseconds since the epoch.
    pub expired_ts: u64,
}
