//! The SQL of aliases.

use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomId};

use crate::{
    database::{Database, DatabaseError, DatabaseExt},
    params,
    rpc::directory::RoomAlias,
};

const FIND: &str = "SELECT room_id, creator FROM room_alias WHERE alias = ?";
const INSERT: &str = "INSERT INTO room_alias (alias, room_id, creator, created_ts) VALUES (?, ?, ?, ?)";
const DELETE: &str = "DELETE FROM room_alias WHERE alias = ?";
const OF_ROOM: &str = "SELECT alias FROM room_alias WHERE room_id = ? ORDER BY alias";
const MOVE: &str = "UPDATE room_alias SET room_id = ? WHERE room_id = ?";

/// What the alias stands for.
pub(super) fn find(db: &dyn Database, alias: &RoomAliasId) -> Result<Option<RoomAlias>, DatabaseError> {
    db.query_first(FIND, params![alias.as_str()], |row| {
        let (room_id, creator): (String, String) = (row.get(0)?, row.get(1)?);
        let corrupt = |_| DatabaseError::corrupt("an alias of what is not an id");
        Ok(RoomAlias {
            room_id: OwnedRoomId::try_from(room_id).map_err(corrupt)?,
            creator: OwnedUserId::try_from(creator).map_err(corrupt)?,
        })
    })
}

/// Adds an alias.
pub(super) fn insert(
    db: &dyn Database,
    alias: &RoomAliasId,
    of: &RoomAlias,
    now: u64,
) -> Result<(), DatabaseError> {
    db.execute(INSERT, params![alias.as_str(), of.room_id.as_str(), of.creator.as_str(), now])
}

/// Removes an alias.
pub(super) fn delete(db: &dyn Database, alias: &RoomAliasId) -> Result<(), DatabaseError> {
    db.execute(DELETE, params![alias.as_str()])
}

/// The aliases of a room.
pub(super) fn of_room(db: &dyn Database, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>, DatabaseError> {
    db.query(OF_ROOM, params![room_id.as_str()], |row| {
        OwnedRoomAliasId::try_from(row.get::<String>(0)?)
            .map_err(|_| DatabaseError::corrupt("an alias that is none"))
    })
}

/// Gives all aliases of one room to another.
pub(super) fn move_all(db: &dyn Database, old: &RoomId, new: &RoomId) -> Result<(), DatabaseError> {
    db.execute(MOVE, params![new.as_str(), old.as_str()])
}
