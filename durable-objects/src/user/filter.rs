//! Filters that clients uploaded `[C-S §7]`.

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{GetFilter, StoreFilter},
};

/// How many filters a user may have.
const MAX_FILTERS: u64 = 1_000;
/// The largest definition, in bytes.
const MAX_DEFINITION: usize = 64 * 1024;

const BY_HASH: &str = "SELECT id FROM filter WHERE hash = ?";
const COUNT: &str = "SELECT count(*) FROM filter";
const INSERT: &str = "INSERT INTO filter (definition, hash) VALUES (?, ?) RETURNING id";
const SELECT: &str = "SELECT definition FROM filter WHERE id = ?";

impl UserEngine {
    pub(super) fn store_filter(&self, command: StoreFilter) -> Result<String, MatrixError> {
        let db = self.runtime.db.as_ref();
        let definition = command.definition.get();
        if definition.len() > MAX_DEFINITION {
            return Err(MatrixError::too_large(format!("A filter has at most {MAX_DEFINITION} bytes")));
        }
        let hash = Sha256::digest(definition).to_vec();
        let known = db.query_first(BY_HASH, params![&hash], |row| row.get::<u64>(0))?;
        if let Some(id) = known {
            return Ok(id.to_string());
        }
        if db
            .query_first(COUNT, params![], |row| row.get::<u64>(0))?
            .is_some_and(|count| count >= MAX_FILTERS)
        {
            return Err(MatrixError::forbidden(format!("A user has at most {MAX_FILTERS} filters")));
        }
        let id = db.query_first(INSERT, params![definition, &hash], |row| row.get::<u64>(0))?;
        Ok(id.ok_or_else(|| DatabaseError::corrupt("no id for a new filter"))?.to_string())
    }

    pub(super) fn get_filter(&self, command: GetFilter) -> Result<Box<RawValue>, MatrixError> {
        self.filter(&command.filter_id)?.ok_or_else(|| MatrixError::not_found("No such filter"))
    }

    /// The definition of a filter; `None` when there is none with this id.
    pub(super) fn filter(&self, filter_id: &str) -> Result<Option<Box<RawValue>>, DatabaseError> {
        let Ok(id) = filter_id.parse::<i64>() else { return Ok(None) };
        let definition = self.runtime.db.query_first(SELECT, params![id], |row| row.get::<String>(0))?;
        let json = definition.map(RawValue::from_string).transpose();
        json.map_err(|error| DatabaseError::corrupt(format!("filter: {error}")))
    }
}
