//! The table of memberships.

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId, events::room::member::MembershipState};
use serde_json::value::RawValue;

use crate::{
    database::{Database, DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
    user::sync::SeenLog,
};

const NUMBER: &str = "SELECT room FROM membership WHERE room_id = ?";
const BY_ROOM_ID: &str =
    "SELECT room, room_id, membership, since, position, is_from_outside, sender, is_forgotten,
    shown, seen FROM membership WHERE room_id = ?";
const BY_NUMBERS: &str =
    "SELECT room, room_id, membership, since, position, is_from_outside, sender, is_forgotten,
    shown, seen FROM membership WHERE room IN (SELECT value FROM json_each(?))";
const BY_KINDS: &str =
    "SELECT room, room_id, membership, since, position, is_from_outside, sender, is_forgotten,
    shown, seen FROM membership WHERE membership IN (SELECT value FROM json_each(?))";
const INSERT: &str = "INSERT INTO membership
    (room_id, membership, since, position, is_from_outside, sender, is_forgotten, shown, seen)
    VALUES (?, 'leave', 0, 0, 0, ?, 0, NULL, x'') RETURNING room";
const UPDATE: &str = "UPDATE membership SET membership = ?, since = ?, position = ?, is_from_outside = ?,
    sender = ?, is_forgotten = ?, shown = ? WHERE room = ?";
const SET_SEEN: &str = "UPDATE membership SET seen = ? WHERE room = ?";

/// How the user stands to one room.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The user's number for the room.
    pub room: u32,
    /// The room.
    pub room_id: OwnedRoomId,
    /// The membership.
    pub membership: MembershipState,
    /// Position of the stream at which it became so.
    pub since: u64,
    /// Position of the room's log at which it became so, by the last word from the room.
    pub position: LogPosition,
    /// Whether the last word came from outside the room.
    pub is_from_outside: bool,
    /// Who made it so.
    pub sender: OwnedUserId,
    /// Whether the user wants to hear no more of it.
    pub is_forgotten: bool,
    /// What is shown of it without asking the room: stripped state, or the event that ended an invitation.
    pub shown: Option<String>,
    /// How far the user's clients have seen it.
    pub seen: SeenLog,
}

impl Membership {
    /// What is shown of it, as JSON.
    pub fn shown(&self) -> Result<Option<Box<RawValue>>, DatabaseError> {
        let parse = |text: &String| {
            RawValue::from_string(text.clone()).map_err(|error| DatabaseError::corrupt(error.to_string()))
        };
        self.shown.as_ref().map(parse).transpose()
    }
}

/// Reads and writes the table.
pub struct Memberships<'a>(&'a dyn Database);

impl<'a> Memberships<'a> {
    /// Over the user's database.
    pub fn new(db: &'a dyn Database) -> Self {
        Self(db)
    }

    /// The user's number for a room.
    pub fn number(&self, room_id: &str) -> Result<Option<u32>, DatabaseError> {
        self.0.query_first(NUMBER, params![room_id], |row| row.get(0))
    }

    /// The membership of one room.
    pub fn of_room(&self, room_id: &str) -> Result<Option<Membership>, DatabaseError> {
        self.0.query_first(BY_ROOM_ID, params![room_id], read)
    }

    /// The memberships of the rooms with these numbers.
    pub fn of_numbers(&self, rooms: &[u32]) -> Result<Vec<Membership>, DatabaseError> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let rooms =
            serde_json::to_string(rooms).map_err(|error| DatabaseError::corrupt(error.to_string()))?;
        self.0.query(BY_NUMBERS, params![&rooms], read)
    }

    /// All memberships of some kinds.
    pub fn of_kinds(&self, kinds: &[MembershipState]) -> Result<Vec<Membership>, DatabaseError> {
        let kinds =
            serde_json::to_string(kinds).map_err(|error| DatabaseError::corrupt(error.to_string()))?;
        self.0.query(BY_KINDS, params![&kinds], read)
    }

    /// Gives a room that is not known yet a number. It counts as left until it is updated.
    pub fn add(&self, room_id: &RoomId, sender: &UserId) -> Result<Membership, DatabaseError> {
        let row = params![room_id.as_str(), sender.as_str()];
        let room = self.0.query_first(INSERT, row, |row| row.get(0))?;
        Ok(Membership {
            room: room.ok_or_else(|| DatabaseError::corrupt("no number for a room"))?,
            room_id: room_id.to_owned(),
            membership: MembershipState::Leave,
            since: 0,
            position: LogPosition(0),
            is_from_outside: false,
            sender: sender.to_owned(),
            is_forgotten: false,
            shown: None,
            seen: SeenLog::default(),
        })
    }

    /// Writes all of a membership but what was seen.
    pub fn update(&self, row: &Membership) -> Result<(), DatabaseError> {
        self.0.execute(
            UPDATE,
            params![
                row.membership.as_str(),
                row.since,
                row.position.0,
                row.is_from_outside,
                row.sender.as_str(),
                row.is_forgotten,
                row.shown.as_ref(),
                row.room
            ],
        )
    }

    /// Writes what was seen of a room.
    pub fn set_seen(&self, room: u32, seen: &SeenLog) -> Result<(), DatabaseError> {
        self.0.execute(SET_SEEN, params![&seen.encode(), room])
    }
}

fn read(row: &mut Row) -> Result<Membership, DatabaseError> {
    fn id<T, E: std::fmt::Display>(id: Result<T, E>) -> Result<T, DatabaseError> {
        id.map_err(|error| DatabaseError::corrupt(error.to_string()))
    }
    Ok(Membership {
        room: row.get(0)?,
        room_id: id(OwnedRoomId::try_from(row.get::<String>(1)?))?,
        membership: MembershipState::from(row.get::<String>(2)?),
        since: row.get(3)?,
        position: LogPosition(row.get(4)?),
        is_from_outside: row.get(5)?,
        sender: id(OwnedUserId::try_from(row.get::<String>(6)?))?,
        is_forgotten: row.get(7)?,
        shown: row.get(8)?,
        seen: SeenLog::decode(&row.get::<Vec<u8>>(9)?)?,
    })
}
