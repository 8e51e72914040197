//! The user's stream: one order for everything that clients follow, and where in it each room last changed.
//!
//! It is one row, so that a wake writes one row, however many rooms there are, and a sync reads one to learn
//! which of them changed.

use crate::{
    database::{Database, DatabaseError, DatabaseExt},
    params,
    sorted::SortedMap,
    varint::{self, Reader},
};

const READ: &str = "SELECT position, changed FROM sync_stream";
const WRITE: &str = "INSERT INTO sync_stream (one, position, changed) VALUES (1, ?, ?)
    ON CONFLICT (one) DO UPDATE SET position = excluded.position, changed = excluded.changed";

/// The stream as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// The last position given out.
    pub position: u64,
    changed: SortedMap<u32, u64>,
}

impl Stream {
    /// Reads it.
    pub fn load(db: &dyn Database) -> Result<Self, DatabaseError> {
        let row = db.query_first(READ, params![], |row| Ok((row.get(0)?, row.get::<Vec<u8>>(1)?)))?;
        let Some((position, bytes)) = row else { return Ok(Self::default()) };
        let mut reader = Reader::new(&bytes);
        let mut changed = SortedMap::new();
        while !reader.is_at_end() {
            let entry = reader.small().zip(reader.number());
            let (room, at) = entry.ok_or_else(|| DatabaseError::corrupt("the rooms of the sync stream"))?;
            changed.insert(room, at);
        }
        Ok(Self { position, changed })
    }

    /// Writes it.
    pub fn store(&self, db: &dyn Database) -> Result<(), DatabaseError> {
        let mut bytes = Vec::new();
        for (room, at) in self.changed.iter() {
            varint::write(u64::from(*room), &mut bytes);
            varint::write(*at, &mut bytes);
        }
        db.execute(WRITE, params![self.position, &bytes])
    }

    /// Takes the next position.
    pub fn advance(&mut self) -> u64 {
        self.position = self.position.saturating_add(1);
        self.position
    }

    /// Notes that a room changed now.
    pub fn mark(&mut self, room: u32) -> u64 {
        let position = self.advance();
        self.changed.insert(room, position);
        position
    }

    /// Where a room last changed; 0 when it never did.
    pub fn changed_at(&self, room: u32) -> u64 {
        self.changed.get(&room).copied().unwrap_or(0)
    }

    /// The rooms that changed after `position`.
    pub fn changed_since(&self, position: u64) -> impl Iterator<Item = u32> {
        self.changed.iter().filter(move |(_, at)| **at > position).map(|(room, _)| *room)
    }
}
