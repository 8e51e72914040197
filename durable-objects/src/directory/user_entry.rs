//! The user directory. A user's actor tells when there is something new; what that is, is asked for by the next search.

mod store;

use std::rc::Rc;

use super::DirectoryEngine;
use crate::{
    concurrent::{ALL, each},
    full_text::Term,
    matrix_error::MatrixError,
    rpc::{
        self,
        directory::{ListOpenRooms, MarkUserChanged, SearchUsers, SetRoomOpen, UserEntry},
        user::GetUserEntry,
    },
};

/// How many users are asked at a time.
const BATCH: u32 = 50;
/// How many times, before one search.
const MAX_BATCHES: u32 = 4;
/// How many users one search finds.
const MAX_FOUND: u32 = 500;

impl DirectoryEngine {
    pub(super) fn mark_user_changed(&self, command: MarkUserChanged) -> Result<(), MatrixError> {
        Ok(store::mark_changed(self.runtime.db.as_ref(), command.user_id.as_str())?)
    }

    pub(super) fn set_room_open(&self, command: SetRoomOpen) -> Result<(), MatrixError> {
        Ok(store::set_open(self.runtime.db.as_ref(), &command.room_id, command.is_open)?)
    }

    pub(super) fn list_open_rooms(
        &self,
        command: ListOpenRooms,
    ) -> Result<Vec<ruma::OwnedRoomId>, MatrixError> {
        Ok(store::open_rooms(self.runtime.db.as_ref(), command.among.as_deref(), command.limit)?)
    }

    pub(super) async fn search_users(
        self: &Rc<Self>,
        command: SearchUsers,
    ) -> Result<Vec<UserEntry>, MatrixError> {
        for _ in 0..MAX_BATCHES {
            if !self.refresh_users().await? {
                break;
            }
        }
        let Some(query) = Term::of_name(&command.term).query() else { return Ok(Vec::new()) };
        Ok(store::find(self.runtime.db.as_ref(), &query, command.limit.min(MAX_FOUND))?)
    }

    /// Brings the entries of some users up to date; whether there are more.
    async fn refresh_users(&self) -> Result<bool, MatrixError> {
        let db = self.runtime.db.as_ref();
        let changed = store::changed(db, BATCH)?;
        // The mark goes first: a change that comes in between sets it again.
        store::clear_changed(db, &changed)?;
        let platform = self.runtime.platform.as_ref();
        let users = changed.iter().map(|(_, user_id)| user_id.localpart());
        let entries = each(ALL, users, |user| rpc::call(platform, user, &GetUserEntry {})).await;
        for ((number, user_id), entry) in changed.iter().zip(entries) {
            match entry {
                Ok(Some(entry)) => store::update(db, *number, &entry)?,
                Ok(None) => store::remove(db, *number)?,
                Err(error) if error.status < 500 => store::remove(db, *number)?,
                Err(_) => store::mark_changed(db, user_id.as_str())?,
            }
        }
        Ok(changed.len() >= BATCH as usize)
    }
}
