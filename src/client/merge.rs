//! Lists that several rooms answer with, put into one, page by page.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, VecDeque},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedRoomId, RoomId};
use selvedge_durable_objects::rpc::room::LogPosition;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How many bytes of a room id's hash stand for it.
const HASH: usize = 6;

/// How far each room was read that had something on earlier pages; by the room's hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors(BTreeMap<String, u64>);

impl Cursors {
    /// Whether these can be what was given out.
    pub fn are_valid(&self) -> bool {
        self.0.values().all(|to| *to <= LogPosition::MAX.0)
    }

    /// How far a room was read; `None` when it was not.
    pub fn reached(&self, room_id: &RoomId) -> Option<u64> {
        self.0.get(&hash(room_id)).copied()
    }

    fn reach(&mut self, room_id: &RoomId, to: u64) {
        self.0.insert(hash(room_id), to);
    }
}

fn hash(room_id: &RoomId) -> String {
    let hash = Sha256::digest(room_id.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.get(..HASH).unwrap_or_default())
}

/// What one room answered.
pub struct List<T> {
    /// The room.
    pub room_id: OwnedRoomId,
    /// In their order.
    pub items: VecDeque<T>,
    /// Where the room goes on after these; `None` when it has no more.
    pub end: Option<u64>,
}

/// An item of a page.
pub struct Merged<T> {
    /// Where it is from.
    pub room_id: OwnedRoomId,
    /// The item.
    pub item: T,
    /// Whether the room has none after it.
    pub is_last_of_room: bool,
}

/// Takes up to `limit` items off the lists, the greatest head first; within a room its own order stands. `next` is
/// where a room goes on after an item. Moves the cursors on, and tells whether there may be more.
pub fn merge<T>(
    mut lists: Vec<List<T>>,
    limit: usize,
    cursors: &mut Cursors,
    compare: impl Fn(&T, &T) -> Ordering,
    next: impl Fn(&T) -> u64,
) -> (Vec<Merged<T>>, bool) {
    let mut has_more = false;
    for list in &lists {
        has_more |= list.end.is_some();
        if let (Some(end), true) = (list.end, list.items.is_empty()) {
            cursors.reach(&list.room_id, end);
        }
    }
    let mut merged = Vec::new();
    while merged.len() < limit {
        let heads = lists.iter_mut().filter(|list| !list.items.is_empty());
        let greatest = heads.max_by(|left, right| match (left.items.front(), right.items.front()) {
            (Some(left), Some(right)) => compare(left, right),
            _ => Ordering::Equal,
        });
        let Some(list) = greatest else { break };
        let Some(item) = list.items.pop_front() else { break };
        let is_drained = list.items.is_empty();
        // Past what the room looked at besides, once nothing is left of what it found there.
        cursors.reach(&list.room_id, list.end.filter(|_| is_drained).unwrap_or_else(|| next(&item)));
        let is_last_of_room = is_drained && list.end.is_none();
        merged.push(Merged { room_id: list.room_id.clone(), item, is_last_of_room });
    }
    has_more |= merged.len() >= limit;
    (merged, has_more)
}
