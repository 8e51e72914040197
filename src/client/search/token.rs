//! Where a search goes on: how far each room that had results on earlier pages was read.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use selvedge_durable_objects::{matrix_error::MatrixError, rpc::room::LogPosition};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How many bytes of a room id's hash stand for it.
const HASH: usize = 6;

/// A `next_batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    by_rank: bool,
    /// Of which results this is about.
    pub scope: Scope,
    /// By the room's hash.
    read: BTreeMap<String, u64>,
}

/// A part of the results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// All.
    All,
    /// The group of a room.
    Room(OwnedRoomId),
    /// The group of a sender.
    Sender(OwnedUserId),
}

impl Token {
    /// Before all results.
    pub fn start(by_rank: bool) -> Self {
        Self { by_rank, scope: Scope::All, read: BTreeMap::new() }
    }

    /// Reads what [`Self::write`] wrote for a search with the same order. `M_INVALID_PARAM`.
    pub fn read(text: &str, by_rank: bool) -> Result<Self, MatrixError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let token: Option<Self> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        token
            .filter(|token| {
                token.by_rank == by_rank && token.read.values().all(|to| *to <= LogPosition::MAX.0)
            })
            .ok_or_else(|| MatrixError::invalid_param("`next_batch` is not of this search"))
    }

    /// The text.
    pub fn write(&self) -> Result<String, MatrixError> {
        Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self)?))
    }

    /// The same place, for a part of the results.
    pub fn within(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    /// How far a room was read; `None` when it was not.
    pub fn reached(&self, room_id: &RoomId) -> Option<u64> {
        self.read.get(&hash(room_id)).copied()
    }

    /// A room was read so far.
    pub fn reach(&mut self, room_id: &RoomId, to: u64) {
        self.read.insert(hash(room_id), to);
    }
}

fn hash(room_id: &RoomId) -> String {
    let hash = Sha256::digest(room_id.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.get(..HASH).unwrap_or_default())
}
