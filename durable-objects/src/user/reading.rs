//! What the account has to do with reading a room.

use ruma::{OwnedRoomId, events::room::member::MembershipState};

use super::{
    UserEngine,
    sync::{Stream, seen},
};
use crate::{
    matrix_error::MatrixError,
    rpc::{
        room::LogPosition,
        sync_token::SyncToken,
        user::{ListNotifyingRooms, ListReadableRooms, NotifyingRooms, OpenRoom, OpenedRoom, ReadableRooms},
    },
};

impl UserEngine {
    pub(super) fn open_room(&self, command: OpenRoom) -> Result<OpenedRoom, MatrixError> {
        let mut positions = Vec::with_capacity(command.sync_tokens.len());
        if !command.sync_tokens.is_empty() {
            let row = self.memberships().of_room(command.room_id.as_str())?;
            positions.extend(command.sync_tokens.iter().map(|token| {
                let token = SyncToken::decode(token)?;
                let row = row.as_ref()?;
                // Of a room that no answer showed the client, it knows at most how the user came in or went.
                let or_else = || (row.since <= token.stream).then_some(row.position);
                seen(&token, row).or_else(or_else).or(Some(LogPosition(0)))
            }));
        }
        Ok(OpenedRoom { ignored_users: self.ignored_users()?, positions })
    }

    pub(super) fn list_readable_rooms(&self, _: ListReadableRooms) -> Result<ReadableRooms, MatrixError> {
        let kinds = [MembershipState::Join, MembershipState::Leave, MembershipState::Ban];
        Ok(ReadableRooms { ignored_users: self.ignored_users()?, rooms: self.latest_rooms(&kinds)? })
    }

    pub(super) fn list_notifying_rooms(&self, _: ListNotifyingRooms) -> Result<NotifyingRooms, MatrixError> {
        Ok(NotifyingRooms {
            ignored_users: self.ignored_users()?,
            push_rules: self.changed_push_rules()?,
            rooms: self.latest_rooms(&[MembershipState::Join])?,
        })
    }

    /// The rooms with memberships of some kinds that are not forgotten, those first that changed last.
    fn latest_rooms(&self, kinds: &[MembershipState]) -> Result<Vec<OwnedRoomId>, MatrixError> {
        let stream = Stream::load(self.runtime.db.as_ref())?;
        let mut rows = self.memberships().of_kinds(kinds)?;
        rows.retain(|row| !row.is_forgotten);
        rows.sort_by_key(|row| std::cmp::Reverse(stream.changed_at(row.room)));
        Ok(rows.into_iter().map(|row| row.room_id).collect())
    }
}
