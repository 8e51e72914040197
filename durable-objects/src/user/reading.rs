//! What the account has to do with reading a room.

use super::{UserEngine, sync::seen};
use crate::{
    matrix_error::MatrixError,
    rpc::{
        sync_token::SyncToken,
        user::{OpenRoom, OpenedRoom},
    },
};

impl UserEngine {
    pub(super) fn open_room(&self, command: OpenRoom) -> Result<OpenedRoom, MatrixError> {
        let mut positions = Vec::with_capacity(command.sync_tokens.len());
        if !command.sync_tokens.is_empty() {
            let row = self.memberships().of_room(command.room_id.as_str())?;
            positions.extend(command.sync_tokens.iter().map(|token| {
                let token = SyncToken::decode(token)?;
                // A room that the client had not seen: it has seen nothing of it.
                Some(row.as_ref().and_then(|row| seen(&token, row)).unwrap_or_default())
            }));
        }
        Ok(OpenedRoom { ignored_users: self.ignored_users()?, positions })
    }
}
