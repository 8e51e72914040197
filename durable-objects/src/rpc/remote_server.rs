//! What a [`RemoteServer`](crate::remote_server) can be asked.

mod destination;
mod devices;
mod transaction;

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedServerSigningKeyId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::{destination::*, devices::*, transaction::*};
use super::room::LogPosition;
use crate::command;

/// Where is this server reached?
#[derive(Debug, Serialize, Deserialize)]
pub struct Resolve {}
command!(Resolve to RemoteServer -> Resolution);

/// Where a server is reached, and until when that may be believed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resolution {
    /// `https://host:port`, or why the server cannot be reached.
    pub base_url: Result<String, String>,
    /// Milliseconds since the epoch.
    pub expires_ts: u64,
}

/// The server's keys: those stored, or, when one of `wanted` is not among them or no longer valid
/// at `valid_at`, freshly asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetVerifyKeys {
    /// Key ids that are needed; none for whatever there is.
    pub wanted: Vec<OwnedServerSigningKeyId>,
    /// The time at which they must be valid, in milliseconds since the epoch.
    pub valid_at: u64,
}
command!(GetVerifyKeys to RemoteServer -> VerifyKeys);

/// Known keys of a server.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct VerifyKeys {
    /// By key id.
    pub keys: BTreeMap<OwnedServerSigningKeyId, VerifyKey>,
    /// The server's own signed answer that they came from, for a notary to pass on.
    pub response: Option<String>,
}

/// A public key of another server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyKey {
    /// Unpadded base64.
    pub public_key: String,
    /// Until when it signs, in milliseconds since the epoch; of an old key, when it expired.
    pub valid_until_ts: u64,
    /// An old key signs events of the past and no requests.
    pub is_old: bool,
}

/// A wake: the log of a room in which this server has members has grown by something that we owe it.
#[derive(Debug, Serialize, Deserialize)]
pub struct RoomChanged {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The room's log position before what the server is owed, for a room that it was owed nothing of.
    pub after: LogPosition,
    /// The room's log position now.
    pub position: LogPosition,
}
command!(RoomChanged to RemoteServer -> ());

/// Sends EDUs to the server.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendEdus {
    /// In order.
    pub edus: Vec<OutboundEdu>,
}
command!(SendEdus to RemoteServer -> ());

/// Sends events to the server, which takes no part in their room and so is not told by the room.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendPdus {
    /// In order, in their federation format.
    pub pdus: Vec<Box<RawValue>>,
}
command!(SendPdus to RemoteServer -> ());

/// An EDU for another server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutboundEdu {
    /// Such as `m.typing`.
    pub edu_type: String,
    /// Its content.
    pub content: Box<RawValue>,
    /// How it is kept until it arrives.
    pub keep: Keep,
}

/// How an EDU is kept until it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// In memory, and not at all while the server cannot be reached: it is worthless later.
    Volatile,
    /// Until it arrives, in order.
    Durable,
    /// Until it arrives, or another with the same name takes its place.
    Latest(String),
}
