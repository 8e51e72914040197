//! The room in which the server talks to the user `[C-S §11.35]`.

use ruma::{OwnedRoomId, api::error::ErrorCode, events::room::member::MembershipState};
use serde_json::Map;

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{CheckMayLeave, GetNoticeRoom, KeepNoticeRoom, SetTag},
};

/// The tag by which clients know the room.
const TAG: &str = "m.server_notice";

const READ: &str = "SELECT room_id FROM notice_room";
const KEEP: &str = "INSERT INTO notice_room (one, room_id) VALUES (1, ?)";

impl UserEngine {
    fn notice_room(&self) -> Result<Option<OwnedRoomId>, DatabaseError> {
        self.runtime.db.query_first(READ, params![], |row| {
            let room_id = OwnedRoomId::try_from(row.get::<String>(0)?);
            room_id.map_err(|error| DatabaseError::corrupt(error.to_string()))
        })
    }

    pub(super) fn get_notice_room(&self, _: GetNoticeRoom) -> Result<Option<OwnedRoomId>, MatrixError> {
        Ok(self.notice_room()?)
    }

    pub(super) fn keep_notice_room(&self, command: KeepNoticeRoom) -> Result<OwnedRoomId, MatrixError> {
        if let Some(room_id) = self.notice_room()? {
            return Ok(room_id);
        }
        let KeepNoticeRoom { room_id } = command;
        self.set_tag(SetTag { room_id: room_id.clone(), tag: TAG.to_owned(), info: Some(Map::new()) })?;
        self.runtime.db.execute(KEEP, params![room_id.as_str()])?;
        Ok(room_id)
    }

    pub(super) fn check_may_leave(&self, command: CheckMayLeave) -> Result<(), MatrixError> {
        if self.notice_room()?.as_ref() != Some(&command.room_id) {
            return Ok(());
        }
        let membership = self.memberships().of_room(command.room_id.as_str())?;
        if membership.is_some_and(|known| known.membership == MembershipState::Invite) {
            let text = "The invitation to the server's notices cannot be declined";
            return Err(MatrixError::new(403, ErrorCode::CannotLeaveServerNoticeRoom, text));
        }
        Ok(())
    }
}
