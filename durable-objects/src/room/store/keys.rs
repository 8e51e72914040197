//! Interned `(type, state_key)` pairs.

use selvedge_protocol::nid::StateKeyNid;

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
};

const FIND: &str = "SELECT nid FROM state_key WHERE type = ? AND state_key = ?";
const PAIR: &str = "SELECT type, state_key FROM state_key WHERE nid = ?";
const INSERT: &str = "INSERT INTO state_key (type, state_key) VALUES (?, ?) RETURNING nid";
const OF_TYPE: &str = "SELECT nid, state_key FROM state_key WHERE type = ? ORDER BY state_key LIMIT ?";
const OF_TYPE_AFTER: &str =
    "SELECT nid, state_key FROM state_key WHERE type = ? AND state_key > ? ORDER BY state_key LIMIT ?";

const OF_OTHER_TYPES: &str =
    "SELECT nid FROM state_key WHERE type < ?1 UNION ALL SELECT nid FROM state_key WHERE type > ?1";

/// A state key of some type, with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateKey {
    /// The number of the pair.
    pub nid: StateKeyNid,
    /// The state key.
    pub state_key: String,
}

impl Store {
    /// The number of a pair; `None` if no event of the room has it.
    pub fn key(&self, event_type: &str, state_key: &str) -> Result<Option<StateKeyNid>, DatabaseError> {
        let pair = (event_type.to_owned(), state_key.to_owned());
        if let Some(nid) = self.inner.keys.borrow().get(&pair) {
            return Ok(Some(nid));
        }
        let found = self.db().query_first(FIND, params![event_type, state_key], |row| row.get(0))?;
        let nid = found.map(StateKeyNid);
        if let Some(nid) = nid {
            self.inner.keys.borrow_mut().put(pair, nid, 1);
        }
        Ok(nid)
    }

    /// The type and state key with this number.
    pub fn key_pair(&self, nid: StateKeyNid) -> Result<(String, String), DatabaseError> {
        self.db()
            .query_first(PAIR, params![nid.0], |row| Ok((row.get(0)?, row.get(1)?)))?
            .ok_or_else(|| DatabaseError::corrupt("no such state key"))
    }

    /// Up to `limit` state keys of a type that any event ever had, in the order of the keys, after
    /// `after` or from the first.
    pub fn keys_of_type(
        &self,
        event_type: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StateKey>, DatabaseError> {
        let read = |row: &mut Row| Ok(StateKey { nid: StateKeyNid(row.get(0)?), state_key: row.get(1)? });
        match after {
            None => self.db().query(OF_TYPE, params![event_type, limit], read),
            Some(after) => self.db().query(OF_TYPE_AFTER, params![event_type, after, limit], read),
        }
    }

    /// The numbers of all pairs of other types than `event_type`.
    pub fn keys_of_other_types(&self, event_type: &str) -> Result<Vec<StateKeyNid>, DatabaseError> {
        self.db().query(OF_OTHER_TYPES, params![event_type], |row| row.get(0).map(StateKeyNid))
    }
}

impl Writer<'_> {
    /// The number of a pair, given out at first use.
    pub fn intern(&mut self, event_type: &str, state_key: &str) -> Result<StateKeyNid, DatabaseError> {
        if let Some(nid) = self.key(event_type, state_key)? {
            return Ok(nid);
        }
        let nid = self
            .db()
            .query_first(INSERT, params![event_type, state_key], |row| row.get(0))?
            .map(StateKeyNid)
            .ok_or_else(|| DatabaseError::corrupt("an insert returned nothing"))?;
        self.inner.keys.borrow_mut().put((event_type.to_owned(), state_key.to_owned()), nid, 1);
        Ok(nid)
    }
}
