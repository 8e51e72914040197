//! The SQL of the published room directory.

use ruma::{
    OwnedRoomId, RoomId,
    directory::{Filter, PublicRoomsChunk, RoomNetwork},
};

use super::Position;
use crate::{
    database::{Database, DatabaseError, DatabaseExt},
    params,
};

const INSERT: &str = "INSERT INTO published_room (room_id, joined_members, search_text, is_changed)
    VALUES (?, 0, '', 1) ON CONFLICT (room_id) DO UPDATE SET is_changed = 1";
const UPDATE: &str =
    "UPDATE published_room SET joined_members = ?2, room_type = ?3, search_text = ?4, chunk = ?5
    WHERE room_id = ?1";
const REMOVE: &str = "DELETE FROM published_room WHERE room_id = ?";
const COPY: &str = "INSERT OR IGNORE INTO published_room
    SELECT ?, joined_members, room_type, search_text, chunk, 1 FROM published_room WHERE room_id = ?";
const ADD_PUBLICATION: &str = "INSERT OR IGNORE INTO publication (network, room_id) VALUES (?, ?)";
const MOVE_PUBLICATIONS: &str = "UPDATE OR IGNORE publication SET room_id = ? WHERE room_id = ?";
const REMOVE_PUBLICATION: &str = "DELETE FROM publication WHERE network = ? AND room_id = ?";
const REMOVE_IF_NOWHERE: &str = "DELETE FROM published_room WHERE room_id = ?1
    AND NOT EXISTS (SELECT 1 FROM publication WHERE room_id = ?1)";
const IS_PUBLISHED: &str = "SELECT 1 FROM publication WHERE network = ? AND room_id = ?";
const IS_KNOWN: &str = "SELECT 1 FROM published_room WHERE room_id = ?";
const MARK_CHANGED: &str = "UPDATE published_room SET is_changed = 1 WHERE room_id = ?";
const CHANGED: &str = "SELECT room_id FROM published_room WHERE is_changed = 1 LIMIT ?";
const CLEAR_CHANGED: &str = "UPDATE published_room SET is_changed = 0 WHERE room_id = ?";
/// A network of `NULL` stands for all.
const COUNT: &str = "SELECT count(DISTINCT room_id) FROM publication WHERE ?1 IS NULL OR network = ?1";
/// Room types come as a JSON array, in which `null` stands for rooms without one; `NULL` takes all.
const PAGE: &str = "SELECT chunk, joined_members FROM published_room r
    WHERE chunk IS NOT NULL AND (?1 IS NULL OR instr(search_text, ?1) > 0)
    AND (?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(?2) WHERE value IS r.room_type))
    AND EXISTS (SELECT 1 FROM publication p WHERE p.room_id = r.room_id AND (?3 IS NULL OR p.network = ?3))";
const PAGE_START: &str = " ORDER BY joined_members DESC, room_id DESC LIMIT ?4";
const PAGE_AFTER: &str = " AND (joined_members, room_id) < (?5, ?6)
    ORDER BY joined_members DESC, room_id DESC LIMIT ?4";
const PAGE_BEFORE: &str = " AND (joined_members, room_id) > (?5, ?6)
    ORDER BY joined_members, room_id LIMIT ?4";

/// What is searched for a word: name, topic and canonical alias.
fn search_text(chunk: &PublicRoomsChunk) -> String {
    let alias = chunk.canonical_alias.as_ref().map(|alias| alias.as_str());
    let parts = [chunk.name.as_deref(), chunk.topic.as_deref(), alias];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase()
}

/// Writes a room's entry, unless it was taken away.
pub(super) fn update(db: &dyn Database, chunk: &PublicRoomsChunk) -> Result<(), DatabaseError> {
    let json = serde_json::to_string(chunk).map_err(|error| DatabaseError::corrupt(error.to_string()))?;
    let room_type = chunk.room_type.as_ref().map(ruma::room::RoomType::as_str);
    let members = u64::from(chunk.num_joined_members);
    db.execute(UPDATE, params![chunk.room_id.as_str(), members, room_type, &search_text(chunk), &json])
}

/// Makes an entry, to be asked for.
pub(super) fn insert(db: &dyn Database, room_id: &RoomId) -> Result<(), DatabaseError> {
    db.execute(INSERT, params![room_id.as_str()])
}

/// Takes a room from all lists.
pub(super) fn remove(db: &dyn Database, room_id: &RoomId) -> Result<(), DatabaseError> {
    db.execute(REMOVE, params![room_id.as_str()])
}

/// Puts a room that has an entry in a list.
pub(super) fn add_publication(
    db: &dyn Database,
    network: &str,
    room_id: &RoomId,
) -> Result<(), DatabaseError> {
    db.execute(ADD_PUBLICATION, params![network, room_id.as_str()])
}

/// Takes a room from a list, and its entry with the last list.
pub(super) fn remove_publication(
    db: &dyn Database,
    network: &str,
    room_id: &RoomId,
) -> Result<(), DatabaseError> {
    db.execute(REMOVE_PUBLICATION, params![network, room_id.as_str()])?;
    db.execute(REMOVE_IF_NOWHERE, params![room_id.as_str()])
}

/// Gives one room's places to another, whose entry is to be asked for.
pub(crate) fn replace(db: &dyn Database, old: &RoomId, new: &RoomId) -> Result<(), DatabaseError> {
    db.execute(COPY, params![new.as_str(), old.as_str()])?;
    db.execute(MOVE_PUBLICATIONS, params![new.as_str(), old.as_str()])?;
    remove(db, old)
}

/// Whether the room is in the list.
pub(super) fn is_published(
    db: &dyn Database,
    network: &str,
    room_id: &RoomId,
) -> Result<bool, DatabaseError> {
    Ok(db.query_first(IS_PUBLISHED, params![network, room_id.as_str()], |_| Ok(()))?.is_some())
}

/// Marks a room's entry as out of date; whether there is one.
pub(super) fn mark_changed(db: &dyn Database, room_id: &RoomId) -> Result<bool, DatabaseError> {
    let known = db.query_first(IS_KNOWN, params![room_id.as_str()], |_| Ok(()))?.is_some();
    if known {
        db.execute(MARK_CHANGED, params![room_id.as_str()])?;
    }
    Ok(known)
}

/// Rooms whose entries are out of date.
pub(super) fn changed(db: &dyn Database, limit: u32) -> Result<Vec<OwnedRoomId>, DatabaseError> {
    db.query(CHANGED, params![limit], |row| {
        OwnedRoomId::try_from(row.get::<String>(0)?)
            .map_err(|_| DatabaseError::corrupt("a published room's id is none"))
    })
}

/// Clears the marks of rooms.
pub(super) fn clear_changed(db: &dyn Database, rooms: &[OwnedRoomId]) -> Result<(), DatabaseError> {
    rooms.iter().try_for_each(|room_id| db.execute(CLEAR_CHANGED, params![room_id.as_str()]))
}

/// Which rooms are asked for.
pub(super) struct PageQuery<'a> {
    pub(super) filter: &'a Filter,
    pub(super) room_network: &'a RoomNetwork,
    pub(super) since: Option<&'a Position>,
    pub(super) limit: u32,
}

fn network(room_network: &RoomNetwork) -> Option<&str> {
    match room_network {
        RoomNetwork::All => None,
        RoomNetwork::ThirdParty(network) => Some(network),
        _ => Some(""),
    }
}

/// The rooms next to a position, nearest first.
pub(super) fn page(db: &dyn Database, query: &PageQuery<'_>) -> Result<Vec<PublicRoomsChunk>, DatabaseError> {
    let term = query.filter.generic_search_term.as_deref().map(str::to_lowercase);
    let term = term.as_ref().filter(|term| !term.is_empty());
    let types = &query.filter.room_types;
    let types = (!types.is_empty()).then(|| serde_json::to_string(types).unwrap_or_default());
    let network = network(query.room_network);
    let read = |row: &mut crate::database::Row| {
        let mut chunk: PublicRoomsChunk = serde_json::from_str(&row.get::<String>(0)?)
            .map_err(|error| DatabaseError::corrupt(error.to_string()))?;
        chunk.num_joined_members = row.get::<u32>(1)?.into();
        Ok(chunk)
    };
    match query.since {
        None => {
            let params = params![term, types.as_ref(), network, query.limit];
            db.query(&format!("{PAGE}{PAGE_START}"), params, read)
        }
        Some(since) => {
            let rest = if since.backwards { PAGE_BEFORE } else { PAGE_AFTER };
            let room_id = since.room_id.as_str();
            let params = params![term, types.as_ref(), network, query.limit, since.joined_members, room_id];
            db.query(&format!("{PAGE}{rest}"), params, read)
        }
    }
}

/// How many rooms the lists have.
pub(super) fn count(db: &dyn Database, room_network: &RoomNetwork) -> Result<u64, DatabaseError> {
    Ok(db.query_first(COUNT, params![network(room_network)], |row| row.get(0))?.unwrap_or(0))
}
