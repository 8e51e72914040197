//! What users have not read.

use ruma::UserId;

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
    rpc::room::LogPosition,
};

const GET: &str = "SELECT counted_to, events FROM unread WHERE user_id = ?";
const SET: &str = "INSERT INTO unread (user_id, counted_to, events) VALUES (?, ?, ?)
    ON CONFLICT (user_id) DO UPDATE SET counted_to = excluded.counted_to, events = excluded.events";

impl Store {
    /// What was counted for a user, and up to where.
    pub fn unread(&self, user_id: &UserId) -> Result<Option<(LogPosition, String)>, DatabaseError> {
        self.db()
            .query_first(GET, params![user_id.as_str()], |row| Ok((LogPosition(row.get(0)?), row.get(1)?)))
    }
}

impl Writer<'_> {
    /// Writes down what was counted for a user up to a position.
    pub fn set_unread(
        &mut self,
        user_id: &UserId,
        counted_to: LogPosition,
        events: &str,
    ) -> Result<(), DatabaseError> {
        self.db().execute(SET, params![user_id.as_str(), counted_to.0, events])
    }
}
