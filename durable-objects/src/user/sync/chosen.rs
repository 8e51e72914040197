//! What a client chose to see: the filter of a `/sync` `[C-S §6.3]`.

use ruma::{api::client::filter::FilterDefinition, serde::Raw};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::{matrix_error::MatrixError, rpc::user::WantedFilter, user::UserEngine};

/// A filter in both of its forms.
#[derive(Debug)]
pub struct Chosen {
    /// As the client wrote it; `None` when it gave none.
    pub json: Option<Box<RawValue>>,
    /// Understood.
    pub filter: FilterDefinition,
}

impl UserEngine {
    /// Reads the filter, from the store if it is given by its id.
    pub(super) fn chosen_filter(&self, wanted: Option<WantedFilter>) -> Result<Chosen, MatrixError> {
        let json = match wanted {
            None => None,
            Some(WantedFilter::Definition(json)) => Some(json),
            Some(WantedFilter::Id(id)) => {
                Some(self.filter(&id)?.ok_or_else(|| MatrixError::invalid_param("No such filter"))?)
            }
        };
        let filter = json.as_ref().map(|json| Raw::<FilterDefinition>::from_json(json.clone()).deserialize());
        let filter = filter
            .transpose()
            .map_err(|error| MatrixError::invalid_param(format!("The filter is not valid: {error}")))?;
        Ok(Chosen { json, filter: filter.unwrap_or_default() })
    }
}

/// A hash of which rooms a filter lets through at all; 0 when all of them.
pub fn selection(filter: &FilterDefinition) -> u32 {
    if filter.room.rooms.is_none() && filter.room.not_rooms.is_empty() {
        return 0;
    }
    let mut hash = Sha256::new();
    let mut add = |mark: &[u8], rooms: &[ruma::OwnedRoomId]| {
        let mut rooms: Vec<&str> = rooms.iter().map(|room| room.as_str()).collect();
        rooms.sort_unstable();
        hash.update(mark);
        for room in rooms {
            hash.update(room);
            hash.update([0]);
        }
    };
    if let Some(rooms) = &filter.room.rooms {
        add(b"rooms", rooms);
    }
    add(b"not_rooms", &filter.room.not_rooms);
    let digest = hash.finalize();
    digest.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte)).max(1)
}

/// Whether a filter lets a room through.
pub fn lets_through(filter: &FilterDefinition, room_id: &ruma::RoomId) -> bool {
    let has = |rooms: &[ruma::OwnedRoomId]| rooms.iter().any(|room| room == room_id);
    !has(&filter.room.not_rooms) && filter.room.rooms.as_deref().is_none_or(has)
}
