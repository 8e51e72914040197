//! What the room has to do with the user directory.

use selvedge_protocol::{nid::StateKeyNid, state_tree::StateRoot};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    full_text::spaced,
    params,
};

const IS_OPEN: &str = "SELECT is_open FROM openness";
const SET_OPEN: &str = "INSERT INTO openness (one, is_open) VALUES (1, ?) \
     ON CONFLICT (one) DO UPDATE SET is_open = excluded.is_open";
const INDEXED: &str = "SELECT root FROM member_index";
const SET_INDEXED: &str = "INSERT INTO member_index (one, root) VALUES (1, ?) \
     ON CONFLICT (one) DO UPDATE SET root = excluded.root";
const ADD: &str = "INSERT INTO member_words (rowid, user_id, display_name) VALUES (?, ?, ?)";
const REMOVE: &str = "DELETE FROM member_words WHERE rowid = ?";
const FIND: &str = "SELECT rowid FROM member_words WHERE member_words MATCH ? ORDER BY rank, rowid LIMIT ?";

impl Store {
    /// Whether the directory was told that everyone may join or read the room.
    pub fn told_openness(&self) -> Result<bool, DatabaseError> {
        Ok(self.db().query_first(IS_OPEN, params![], |row| row.get(0))?.unwrap_or(false))
    }

    /// The state that the index of members follows.
    pub fn indexed_members(&self) -> Result<StateRoot, DatabaseError> {
        Ok(self.db().query_first(INDEXED, params![], |row| row.get(0))?.map_or(StateRoot::EMPTY, StateRoot))
    }

    /// The state keys of members that match a full-text query, the best first.
    pub fn find_members(&self, query: &str, limit: u32) -> Result<Vec<StateKeyNid>, DatabaseError> {
        self.db().query(FIND, params![query, limit], |row| row.get(0).map(StateKeyNid))
    }
}

impl Writer<'_> {
    /// Notes what the directory was told.
    pub fn set_told_openness(&mut self, is_open: bool) -> Result<(), DatabaseError> {
        self.db().execute(SET_OPEN, params![is_open])
    }

    /// The index of members is of this state now.
    pub fn set_indexed_members(&mut self, root: StateRoot) -> Result<(), DatabaseError> {
        self.db().execute(SET_INDEXED, params![root.0])
    }

    /// Enters a member.
    pub fn add_member_words(
        &mut self,
        key: StateKeyNid,
        user_id: &str,
        display_name: Option<&str>,
    ) -> Result<(), DatabaseError> {
        self.db().execute(ADD, params![key.0, user_id, display_name.map(spaced).as_deref()])
    }

    /// Takes a member out.
    pub fn remove_member_words(&mut self, key: StateKeyNid) -> Result<(), DatabaseError> {
        self.db().execute(REMOVE, params![key.0])
    }
}
