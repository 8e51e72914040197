//! Whether the published room directory follows the room.

use selvedge_protocol::state_tree::StateRoot;

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
};

const FIND: &str = "SELECT root, is_told FROM listing";
const SET: &str = "INSERT INTO listing (one, root, is_told) VALUES (1, ?, ?) \
     ON CONFLICT (one) DO UPDATE SET root = excluded.root, is_told = excluded.is_told";
const DELETE: &str = "DELETE FROM listing";

/// What the directory knows of a room that it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// The state that it has seen.
    pub root: StateRoot,
    /// Whether it was told that this is no longer the current one.
    pub is_told: bool,
}

impl Store {
    /// What the directory knows, if it follows the room.
    pub fn listing(&self) -> Result<Option<Listing>, DatabaseError> {
        self.db().query_first(FIND, params![], |row| {
            Ok(Listing { root: StateRoot(row.get(0)?), is_told: row.get(1)? })
        })
    }
}

impl Writer<'_> {
    /// Writes what the directory knows; `None`: it does not follow the room.
    pub fn set_listing(&mut self, listing: Option<Listing>) -> Result<(), DatabaseError> {
        match listing {
            Some(listing) => self.db().execute(SET, params![listing.root.0, listing.is_told]),
            None => self.db().execute(DELETE, params![]),
        }
    }
}
