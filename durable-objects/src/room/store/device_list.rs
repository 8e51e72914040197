//! Members whose devices are to be looked at anew.

use ruma::{OwnedUserId, UserId};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
    rpc::room::LogPosition,
};

const SET: &str = "INSERT INTO device_list_change (user_id, position) VALUES (?, ?)
    ON CONFLICT (user_id) DO UPDATE SET position = excluded.position";
const BETWEEN: &str = "SELECT user_id FROM device_list_change WHERE position > ? AND position <= ?";

impl Store {
    /// The users noted in `(after, up_to]`.
    pub fn device_list_changes(
        &self,
        after: LogPosition,
        up_to: LogPosition,
    ) -> Result<Vec<OwnedUserId>, DatabaseError> {
        let ids = self.db().query(BETWEEN, params![after.0, up_to.0], |row| row.get::<String>(0))?;
        Ok(ids.into_iter().filter_map(|id| OwnedUserId::try_from(id).ok()).collect())
    }
}

impl Writer<'_> {
    /// Notes that a member came, left, or changed their devices.
    pub fn set_device_list_change(&mut self, user_id: &UserId, at: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(SET, params![user_id.as_str(), at.0])
    }
}
