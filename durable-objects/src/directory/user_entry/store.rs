//! The SQL of the user directory.

use ruma::{OwnedMxcUri, OwnedRoomId, OwnedUserId, RoomId};

use crate::{
    database::{Database, DatabaseError, DatabaseExt},
    full_text::spaced,
    params,
    rpc::directory::UserEntry,
};

const MARK: &str = "INSERT INTO user_entry (user_id, is_changed) VALUES (?, 1)
    ON CONFLICT (user_id) DO UPDATE SET is_changed = 1";
const CHANGED: &str = "SELECT number, user_id FROM user_entry WHERE is_changed = 1 LIMIT ?";
const CLEAR: &str = "UPDATE user_entry SET is_changed = 0 WHERE number = ?";
const UPDATE: &str = "UPDATE user_entry SET display_name = ?, avatar_url = ? WHERE number = ?";
const REMOVE: &str = "DELETE FROM user_entry WHERE number = ?";
const REMOVE_WORDS: &str = "DELETE FROM user_words WHERE rowid = ?";
const ADD_WORDS: &str = "INSERT INTO user_words (rowid, user_id, display_name) VALUES (?, ?, ?)";
const FIND: &str = "SELECT e.user_id, e.display_name, e.avatar_url
    FROM (SELECT rowid AS number, rank FROM user_words WHERE user_words MATCH ? ORDER BY rank, rowid LIMIT ?) f
    JOIN user_entry e USING (number) ORDER BY f.rank, number";
const OPEN: &str = "INSERT INTO open_room (room_id) VALUES (?) ON CONFLICT DO NOTHING";
const CLOSE: &str = "DELETE FROM open_room WHERE room_id = ?";
const OPEN_ROOMS: &str = "SELECT room_id FROM open_room LIMIT ?";
const OPEN_AMONG: &str =
    "SELECT room_id FROM open_room WHERE room_id IN (SELECT value FROM json_each(?)) LIMIT ?";

/// Marks a user as new or changed.
pub(super) fn mark_changed(db: &dyn Database, user_id: &str) -> Result<(), DatabaseError> {
    db.execute(MARK, params![user_id])
}

/// Users who are marked, with their numbers.
pub(super) fn changed(db: &dyn Database, limit: u32) -> Result<Vec<(u64, OwnedUserId)>, DatabaseError> {
    db.query(CHANGED, params![limit], |row| Ok((row.get(0)?, user_id(row.get(1)?)?)))
}

/// Clears marks.
pub(super) fn clear_changed(db: &dyn Database, users: &[(u64, OwnedUserId)]) -> Result<(), DatabaseError> {
    users.iter().try_for_each(|(number, _)| db.execute(CLEAR, params![*number]))
}

/// Writes what is known of a user.
pub(super) fn update(db: &dyn Database, number: u64, entry: &UserEntry) -> Result<(), DatabaseError> {
    let name = entry.display_name.as_deref();
    db.transaction(|| {
        db.execute(UPDATE, params![name, entry.avatar_url.as_ref().map(|url| url.as_str()), number])?;
        db.execute(REMOVE_WORDS, params![number])?;
        db.execute(ADD_WORDS, params![number, entry.user_id.as_str(), name.map(spaced).as_deref()])
    })
}

/// Takes a user out.
pub(super) fn remove(db: &dyn Database, number: u64) -> Result<(), DatabaseError> {
    db.transaction(|| {
        db.execute(REMOVE_WORDS, params![number])?;
        db.execute(REMOVE, params![number])
    })
}

/// The users that match a full-text query, the best first.
pub(super) fn find(db: &dyn Database, query: &str, limit: u32) -> Result<Vec<UserEntry>, DatabaseError> {
    db.query(FIND, params![query, limit], |row| {
        Ok(UserEntry {
            user_id: user_id(row.get(0)?)?,
            display_name: row.get(1)?,
            avatar_url: row.get::<Option<String>>(2)?.map(OwnedMxcUri::from),
        })
    })
}

fn user_id(text: String) -> Result<OwnedUserId, DatabaseError> {
    OwnedUserId::try_from(text).map_err(|_| DatabaseError::corrupt("user id"))
}

/// Whether everyone may join or read a room.
pub(super) fn set_open(db: &dyn Database, room_id: &RoomId, is_open: bool) -> Result<(), DatabaseError> {
    db.execute(if is_open { OPEN } else { CLOSE }, params![room_id.as_str()])
}

/// The rooms that everyone may join or read, of some, or of all.
pub(super) fn open_rooms(
    db: &dyn Database,
    among: Option<&[OwnedRoomId]>,
    limit: u32,
) -> Result<Vec<OwnedRoomId>, DatabaseError> {
    let read = |row: &mut crate::database::Row| {
        OwnedRoomId::try_from(row.get::<String>(0)?).map_err(|_| DatabaseError::corrupt("room id"))
    };
    let Some(among) = among else { return db.query(OPEN_ROOMS, params![limit], read) };
    let among = serde_json::to_string(among).map_err(|error| DatabaseError::corrupt(error.to_string()))?;
    db.query(OPEN_AMONG, params![&among, limit], read)
}
