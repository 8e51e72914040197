//! Which users have a pusher for the same installation of an app.

use ruma::OwnedUserId;

use super::DirectoryEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::directory::{DisownPusher, OwnPusher},
};

const OTHERS: &str = "SELECT user_id FROM pusher_owner WHERE app_id = ? AND pushkey = ? AND user_id <> ?";
const DELETE_OTHERS: &str = "DELETE FROM pusher_owner WHERE app_id = ? AND pushkey = ? AND user_id <> ?";
const INSERT: &str = "INSERT OR IGNORE INTO pusher_owner (app_id, pushkey, user_id) VALUES (?, ?, ?)";
const DELETE: &str = "DELETE FROM pusher_owner WHERE app_id = ? AND pushkey = ? AND user_id = ?";

impl DirectoryEngine {
    pub(super) fn own_pusher(&self, command: OwnPusher) -> Result<Vec<OwnedUserId>, MatrixError> {
        let row = params![&command.app_id, &command.pushkey, command.user_id.as_str()];
        let db = self.runtime.db.as_ref();
        let others = db.transaction(|| {
            db.execute(INSERT, row)?;
            if command.append {
                return Ok(Vec::new());
            }
            let others = db.query(OTHERS, row, |row| {
                let user_id = OwnedUserId::try_from(row.get::<String>(0)?);
                user_id.map_err(|error| DatabaseError::corrupt(error.to_string()))
            })?;
            db.execute(DELETE_OTHERS, row)?;
            Ok::<_, DatabaseError>(others)
        })?;
        Ok(others)
    }

    pub(super) fn disown_pusher(&self, command: DisownPusher) -> Result<(), MatrixError> {
        let row = params![&command.app_id, &command.pushkey, command.user_id.as_str()];
        Ok(self.runtime.db.execute(DELETE, row)?)
    }
}
