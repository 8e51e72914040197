//! What is remembered of the keys of the server's users.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use ruma::{OwnedUserId, RoomId, UserId};

use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    remote_server::RemoteServerEngine,
    rpc::user::UserKeys,
};

const READ: &str = "SELECT keys, is_stale FROM device_cache WHERE user_id = ?";
const SET: &str = "INSERT INTO device_cache (user_id, room_id, keys, is_stale) VALUES (?, ?, ?, 0)
    ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id, keys = excluded.keys, is_stale = 0";
const UPDATE: &str = "UPDATE device_cache SET keys = ? WHERE user_id = ?";
const MARK_STALE: &str = "UPDATE device_cache SET is_stale = 1 WHERE user_id = ?";
const SET_STALE: &str = "INSERT INTO device_cache (user_id, room_id, keys, is_stale) VALUES (?, ?, '{}', 1)
    ON CONFLICT (user_id) DO UPDATE SET is_stale = 1";
const FORGET: &str = "UPDATE device_cache SET is_stale = 1, keys = '{}' WHERE user_id = ?";
const FORGET_ROOM: &str = "UPDATE device_cache SET is_stale = 1, keys = '{}' WHERE room_id = ?";

/// Of how many users it is known when they last had news.
const MAX_NOTED: usize = 1_000;

/// What is known of a user's keys.
pub(super) enum Known {
    /// Nothing: nobody who shares a room with the user has asked.
    Nothing,
    /// Somebody asked, and something was missed since.
    Stale,
    /// All of them, as they are now.
    Right(UserKeys),
}

/// When users last had news: what the server answers is not remembered if the user had some meanwhile, for then it is
/// not known whether the answer has it.
#[derive(Default)]
pub(in crate::remote_server) struct DeviceNews {
    last: Cell<u64>,
    /// Users of whom nothing is noted had news up to here, perhaps.
    of_others: Cell<u64>,
    of_user: RefCell<BTreeMap<OwnedUserId, u64>>,
}

impl DeviceNews {
    /// A moment, for [`Self::came_since`].
    pub fn now(&self) -> u64 {
        self.last.get()
    }

    /// Whether a user had news after a moment.
    pub fn came_since(&self, user_id: &UserId, moment: u64) -> bool {
        let of_user = self.of_user.borrow().get(user_id).copied();
        of_user.unwrap_or(0).max(self.of_others.get()) > moment
    }

    /// A user has news.
    pub fn came(&self, user_id: &UserId) {
        if self.of_user.borrow().len() >= MAX_NOTED {
            self.came_to_all();
        }
        self.last.set(self.last.get().saturating_add(1));
        self.of_user.borrow_mut().insert(user_id.to_owned(), self.last.get());
    }

    /// Every user may have news.
    pub fn came_to_all(&self) {
        self.last.set(self.last.get().saturating_add(1));
        self.of_others.set(self.last.get());
        self.of_user.borrow_mut().clear();
    }
}

impl RemoteServerEngine {
    pub(super) fn known_keys(&self, user_id: &UserId) -> Result<Known, MatrixError> {
        let db = self.runtime.db.as_ref();
        let row = db.query_first(READ, params![user_id.as_str()], |row| {
            Ok((row.get::<String>(0)?, row.get::<bool>(1)?))
        })?;
        Ok(match row {
            None => Known::Nothing,
            Some((_, true)) => Known::Stale,
            Some((keys, false)) => Known::Right(serde_json::from_str(&keys)?),
        })
    }

    /// Remembers what the server answered at `moment`, for a user who shares a room with one of ours.
    pub(super) fn remember_keys(
        &self,
        user_id: &UserId,
        room_id: &RoomId,
        keys: &UserKeys,
        moment: u64,
    ) -> Result<(), MatrixError> {
        if self.device_news.came_since(user_id, moment) {
            return Ok(self.runtime.db.execute(SET_STALE, params![user_id.as_str(), room_id.as_str()])?);
        }
        let keys = serde_json::to_string(keys)?;
        Ok(self.runtime.db.execute(SET, params![user_id.as_str(), room_id.as_str(), &keys])?)
    }

    /// The keys are right, but for a change that is told.
    pub(super) fn update_keys(&self, user_id: &UserId, keys: &UserKeys) -> Result<(), MatrixError> {
        let keys = serde_json::to_string(keys)?;
        Ok(self.runtime.db.execute(UPDATE, params![&keys, user_id.as_str()])?)
    }

    /// What is remembered of the user is not right any more.
    pub(super) fn mark_stale(&self, user_id: &UserId) -> Result<(), DatabaseError> {
        self.runtime.db.execute(MARK_STALE, params![user_id.as_str()])
    }

    /// The user may not share a room with ours any more.
    pub(super) fn forget_user(&self, user_id: &UserId) -> Result<(), DatabaseError> {
        self.device_news.came(user_id);
        self.runtime.db.execute(FORGET, params![user_id.as_str()])
    }

    /// None of ours is in the room any more.
    pub(super) fn forget_room(&self, room_id: &RoomId) -> Result<(), DatabaseError> {
        self.device_news.came_to_all();
        self.runtime.db.execute(FORGET_ROOM, params![room_id.as_str()])
    }
}
