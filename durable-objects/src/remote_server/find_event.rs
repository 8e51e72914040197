//! An event by its id alone: `GET /event/{eventId}` does not say of which room it is, and no actor knows all events. It
//! can only be of a room that the asking server takes part in, and those this actor knows.

use std::ops::ControlFlow::{Break, Continue};

use ruma::{OwnedRoomId, RoomId};
use serde_json::value::RawValue;

use super::RemoteServerEngine;
use crate::{
    concurrent::each_until,
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::{self, remote_server::FindEvent, room::ServeEvent},
};

const ADD_ROOM: &str = "INSERT INTO shared_room (room_id) VALUES (?) ON CONFLICT DO NOTHING";
/// Those that were busy last come first.
const ROOMS: &str = "SELECT room_id FROM (
        SELECT room_id, ahead AS rank FROM room_cursor
        UNION ALL SELECT room_id, 0 FROM shared_room)
    GROUP BY room_id ORDER BY max(rank) DESC LIMIT ?";

const IS_SHARED: &str = "SELECT 1 FROM shared_room WHERE room_id = ?1
    UNION ALL SELECT 1 FROM room_cursor WHERE room_id = ?1";

/// How many rooms are asked for an event.
pub(super) const MAX_ROOMS: u32 = 2_000;
/// How many of them at the same time.
const CONCURRENCY: usize = 16;

impl RemoteServerEngine {
    /// Remembers rooms that the server takes part in.
    pub(super) fn note_rooms<'r>(
        &self,
        rooms: impl Iterator<Item = &'r OwnedRoomId>,
    ) -> Result<(), DatabaseError> {
        for room_id in rooms {
            if self.known_rooms.borrow().contains(room_id) {
                continue;
            }
            self.runtime.db.execute(ADD_ROOM, params![room_id.as_str()])?;
            self.known_rooms.borrow_mut().insert(room_id.clone());
        }
        Ok(())
    }

    /// Rooms that the server takes part in, those with the latest news first.
    pub(super) fn shared_rooms(&self, limit: u32) -> Result<Vec<OwnedRoomId>, DatabaseError> {
        let rooms = self.runtime.db.query(ROOMS, params![limit], |row| row.get::<String>(0))?;
        Ok(rooms.into_iter().filter_map(|room| RoomId::parse(&room).ok()).collect())
    }

    /// Whether the server is known to take part in a room.
    pub(super) fn is_shared(&self, room_id: &RoomId) -> Result<bool, DatabaseError> {
        let found =
            self.runtime.db.query_first(IS_SHARED, params![room_id.as_str()], |row| row.get::<u64>(0))?;
        Ok(found.is_some())
    }

    pub(super) async fn find_event(&self, command: FindEvent) -> Result<Option<Box<RawValue>>, MatrixError> {
        let server = self.server_name()?;
        let rooms = self.shared_rooms(MAX_ROOMS)?;
        let platform = self.runtime.platform.as_ref();
        let ask = ServeEvent { server, event_id: command.event_id };
        let mut found = None;
        let take = |answer: Result<Option<Box<RawValue>>, MatrixError>| {
            found = answer.unwrap_or_default();
            if found.is_some() { Break(()) } else { Continue(()) }
        };
        each_until(CONCURRENCY, rooms, |room_id| rpc::call(platform, &room_id, &ask), take).await;
        Ok(found)
    }
}
