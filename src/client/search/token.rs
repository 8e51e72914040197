//! Where a search goes on.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedRoomId, OwnedUserId};
use selvedge_durable_objects::matrix_error::MatrixError;
use serde::{Deserialize, Serialize};

use crate::client::merge::Cursors;

/// A `next_batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    by_rank: bool,
    /// Of which results this is about.
    pub scope: Scope,
    /// How far the rooms were read.
    pub cursors: Cursors,
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
        Self { by_rank, scope: Scope::All, cursors: Cursors::default() }
    }

    /// Reads what [`Self::write`] wrote for a search with the same order. `M_INVALID_PARAM`.
    pub fn read(text: &str, by_rank: bool) -> Result<Self, MatrixError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let token: Option<Self> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        token
            .filter(|token| token.by_rank == by_rank && token.cursors.are_valid())
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
}
