//! Guests of this server who joined the room.

use ruma::{OwnedUserId, UserId};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
};

const ALL: &str = "SELECT user_id FROM guest";
const ADD: &str = "INSERT OR IGNORE INTO guest (user_id) VALUES (?)";
const REMOVE: &str = "DELETE FROM guest WHERE user_id = ?";

impl Store {
    /// The guests, some of whom may have left since.
    pub fn guests(&self) -> Result<Vec<OwnedUserId>, DatabaseError> {
        self.db().query(ALL, params![], |row| {
            let user_id = OwnedUserId::try_from(row.get::<String>(0)?);
            user_id.map_err(|error| DatabaseError::corrupt(error.to_string()))
        })
    }
}

impl Writer<'_> {
    /// Notes that a guest is about to join.
    pub fn add_guest(&mut self, user_id: &UserId) -> Result<(), DatabaseError> {
        self.db().execute(ADD, params![user_id.as_str()])
    }

    /// The guest has left.
    pub fn remove_guest(&mut self, user_id: &UserId) -> Result<(), DatabaseError> {
        self.db().execute(REMOVE, params![user_id.as_str()])
    }
}
