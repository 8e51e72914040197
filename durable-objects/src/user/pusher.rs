//! Pushers: who is told of the user's notifications. They are kept here; none is told yet.

use serde_json::value::RawValue;

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{ListPushers, RemovePusher, SetPusher},
};

/// How many pushers a user can have.
const MAX_PUSHERS: u64 = 100;

const SET: &str = "INSERT INTO pusher (app_id, pushkey, device_id, definition) VALUES (?, ?, ?, ?)
    ON CONFLICT (app_id, pushkey) DO UPDATE SET device_id = excluded.device_id, definition = excluded.definition";
const REMOVE: &str = "DELETE FROM pusher WHERE app_id = ? AND pushkey = ?";
const ALL: &str = "SELECT definition FROM pusher ORDER BY app_id, pushkey";
const COUNT_OTHERS: &str = "SELECT count(*) FROM pusher WHERE (app_id, pushkey) <> (?, ?)";

impl UserEngine {
    pub(super) fn set_pusher(&self, command: SetPusher) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        let SetPusher { app_id, pushkey, device_id, definition } = command;
        let others = db.query_first(COUNT_OTHERS, params![&app_id, &pushkey], |row| row.get::<u64>(0))?;
        if others.is_some_and(|others| others >= MAX_PUSHERS) {
            return Err(MatrixError::bad_request(format!("A user has at most {MAX_PUSHERS} pushers")));
        }
        Ok(db.execute(SET, params![&app_id, &pushkey, device_id.as_str(), definition.get()])?)
    }

    pub(super) fn remove_pusher(&self, command: RemovePusher) -> Result<(), MatrixError> {
        Ok(self.runtime.db.execute(REMOVE, params![&command.app_id, &command.pushkey])?)
    }

    pub(super) fn list_pushers(&self, _: ListPushers) -> Result<Vec<Box<RawValue>>, MatrixError> {
        Ok(self.runtime.db.query(ALL, params![], |row| {
            let definition = RawValue::from_string(row.get(0)?);
            definition.map_err(|error| DatabaseError::corrupt(error.to_string()))
        })?)
    }
}
