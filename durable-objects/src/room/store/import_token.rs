//! Whose the import is that was begun last.

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
};

const SELECT: &str = "SELECT token FROM import_token";
const UPSERT: &str = "INSERT INTO import_token (one, token) VALUES (1, ?)
    ON CONFLICT (one) DO UPDATE SET token = excluded.token";

impl Store {
    /// The reservation under which an import was begun last; 0 when none ever was.
    pub fn import_token(&self) -> Result<u64, DatabaseError> {
        Ok(self.db().query_first(SELECT, params![], |row| row.get(0))?.unwrap_or_default())
    }
}

impl Writer<'_> {
    /// Notes under which reservation an import begins.
    pub fn set_import_token(&mut self, token: u64) -> Result<(), DatabaseError> {
        self.db().execute(UPSERT, params![token])
    }
}
