//! The SQL of the outbound queue.

use ruma::OwnedRoomId;

use crate::{
    database::{Database, DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

const CURSOR: &str = "SELECT sent, ahead FROM room_cursor WHERE room_id = ?";
const INSERT_CURSOR: &str = "INSERT INTO room_cursor (room_id, sent, ahead) VALUES (?, ?, ?)";
const MARK_AHEAD: &str = "UPDATE room_cursor SET ahead = ? WHERE room_id = ?";
const BEHIND: &str = "SELECT room_id, sent FROM room_cursor WHERE ahead > sent ORDER BY ahead LIMIT ?";
const ADVANCE: &str = "UPDATE room_cursor SET sent = ?, ahead = max(ahead, ?) WHERE room_id = ?";

const FIRST_CURSORS: &str = "SELECT room_id, sent FROM room_cursor ORDER BY room_id LIMIT ? OFFSET ?";
const LAST_CURSORS: &str = "SELECT room_id, sent FROM room_cursor ORDER BY room_id DESC LIMIT ? OFFSET ?";
const COUNT_CURSORS: &str = "SELECT count(*) FROM room_cursor";
const IS_LISTED: &str = "SELECT id FROM listed";
const SET_LISTED: &str = "INSERT INTO listed (id) VALUES (1) ON CONFLICT DO NOTHING";
const LOG_GOES_ON: &str = "UPDATE room_cursor SET ahead = max(ahead, ?) WHERE room_id = ?";

const INSERT_EDU: &str = "INSERT INTO outbound_edu (edu_type, replaces, content) VALUES (?, ?, ?)";
const DELETE_REPLACED: &str = "DELETE FROM outbound_edu WHERE replaces = ? AND id > ?";
const KEEP_IN_FLIGHT: &str = "UPDATE outbound_edu SET replaces = NULL WHERE replaces = ?";
const EDU_SIZES: &str = "SELECT id, octet_length(content) FROM outbound_edu ORDER BY id LIMIT ?";
const EDUS: &str = "SELECT id, edu_type, content FROM outbound_edu WHERE id <= ? ORDER BY id";
const DELETE_EDUS: &str = "DELETE FROM outbound_edu WHERE id <= ?";
const INSERT_PDU: &str = "INSERT INTO outbound_pdu (json) VALUES (?)";
const PDUS: &str = "SELECT id, json FROM outbound_pdu ORDER BY id LIMIT ?";
const DELETE_PDUS: &str = "DELETE FROM outbound_pdu WHERE id <= ?";
const LAST_EDU_IN_FLIGHT: &str = "SELECT last_edu FROM outbound_transaction";

const TRANSACTION: &str = "SELECT txn_id, pdus, edus, cursors, last_edu, sent_ts, last_pdu
    FROM outbound_transaction";
const INSERT_TRANSACTION: &str = "INSERT INTO outbound_transaction
    (id, txn_id, pdus, edus, cursors, last_edu, sent_ts, last_pdu) VALUES (1, ?, ?, ?, ?, ?, ?, ?)";
const DELETE_TRANSACTION: &str = "DELETE FROM outbound_transaction";

const BACKOFF: &str = "SELECT failures, since_ts, retry_ts, last_ts FROM backoff";
const SET_BACKOFF: &str =
    "INSERT INTO backoff (id, failures, since_ts, retry_ts, last_ts) VALUES (1, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET failures = excluded.failures, since_ts = excluded.since_ts,
        retry_ts = excluded.retry_ts, last_ts = excluded.last_ts";
const CLEAR_BACKOFF: &str = "DELETE FROM backoff";

/// A transaction in flight.
#[derive(Debug, Clone)]
pub(super) struct StoredTransaction {
    pub txn_id: String,
    /// JSON array.
    pub pdus: String,
    /// JSON array.
    pub edus: String,
    /// What the cursors become once it has arrived.
    pub cursors: Vec<(OwnedRoomId, LogPosition)>,
    /// The last durable EDU that it carries.
    pub last_edu: u64,
    /// The last of the single events that it carries.
    pub last_pdu: u64,
    /// When it was formed.
    pub sent_ts: u64,
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    pub failures: u64,
    pub since_ts: u64,
    pub retry_ts: u64,
    pub last_ts: u64,
}

/// Reads and writes the queue.
pub(super) struct QueueStore<'d>(pub &'d dyn Database);

impl QueueStore<'_> {
    /// Notes that a room has more; returns whether that was news.
    pub fn mark_ahead(
        &self,
        room_id: &str,
        after: LogPosition,
        position: LogPosition,
    ) -> Result<bool, DatabaseError> {
        let cursor = self
            .0
            .query_first(CURSOR, params![room_id], |row| Ok((row.get::<u64>(0)?, row.get::<u64>(1)?)))?;
        match cursor {
            None => self.0.execute(INSERT_CURSOR, params![room_id, after.0, position.0])?,
            Some((_, ahead)) if ahead >= position.0 => return Ok(false),
            // Also when it was marked before: the room may have been read meanwhile, for the transaction in flight.
            Some(_) => self.0.execute(MARK_AHEAD, params![position.0, room_id])?,
        }
        Ok(true)
    }

    /// Rooms that are ahead of what was sent, those that have waited longest first.
    pub fn behind(&self, limit: u32) -> Result<Vec<(OwnedRoomId, LogPosition)>, DatabaseError> {
        self.0.query(BEHIND, params![limit], |row| {
            let room: String = row.get(0)?;
            let room = OwnedRoomId::try_from(room).map_err(|_| DatabaseError::corrupt("a room id"))?;
            Ok((room, LogPosition(row.get(1)?)))
        })
    }

    /// Rooms and up to where the server has them, and how many there are.
    pub fn cursors(
        &self,
        from: u32,
        limit: u32,
        is_backward: bool,
    ) -> Result<(Vec<(String, u64)>, u64), DatabaseError> {
        let page = if is_backward { LAST_CURSORS } else { FIRST_CURSORS };
        let rooms = self.0.query(page, params![limit, from], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let total = self.0.query_first(COUNT_CURSORS, params![], |row| row.get(0))?;
        Ok((rooms, total.unwrap_or(0)))
    }

    /// Whether the directory knows of this server.
    pub fn is_listed(&self) -> Result<bool, DatabaseError> {
        Ok(self.0.query_first(IS_LISTED, params![], |row| row.get::<u64>(0))?.is_some())
    }

    /// The directory knows of this server.
    pub fn set_listed(&self) -> Result<(), DatabaseError> {
        self.0.execute(SET_LISTED, params![])
    }

    /// Moves a cursor; `more` says that the room's log goes on.
    pub fn advance(&self, room_id: &str, position: LogPosition, more: bool) -> Result<(), DatabaseError> {
        let ahead = position.0.saturating_add(u64::from(more));
        self.0.execute(ADVANCE, params![position.0, ahead, room_id])
    }

    /// The room's log goes on after a position: it is read again, whether it wakes or not.
    pub fn log_goes_on(&self, room_id: &str, position: LogPosition) -> Result<(), DatabaseError> {
        self.0.execute(LOG_GOES_ON, params![position.0.saturating_add(1), room_id])
    }

    /// Appends a durable EDU.
    pub fn push_edu(
        &self,
        edu_type: &str,
        replaces: Option<&str>,
        content: &str,
    ) -> Result<(), DatabaseError> {
        if let Some(replaces) = replaces {
            let in_flight = self.0.query_first(LAST_EDU_IN_FLIGHT, params![], |row| row.get::<u64>(0))?;
            self.0.execute(DELETE_REPLACED, params![replaces, in_flight.unwrap_or(0)])?;
            // What is in flight arrives as it is, before this one.
            self.0.execute(KEEP_IN_FLIGHT, params![replaces])?;
        }
        self.0.execute(INSERT_EDU, params![edu_type, replaces, content])
    }

    /// The oldest durable EDUs: id, type, content. At most `limit`, and of `max_bytes` together unless one alone has more.
    pub fn edus(&self, limit: u32, max_bytes: usize) -> Result<Vec<(u64, String, String)>, DatabaseError> {
        let sizes =
            self.0.query(EDU_SIZES, params![limit], |row| Ok((row.get::<u64>(0)?, row.get::<u64>(1)?)))?;
        let mut left = u64::try_from(max_bytes).unwrap_or(u64::MAX);
        let mut last = None;
        for (id, size) in sizes {
            let fits = size <= left;
            if !fits && last.is_some() {
                break;
            }
            left = left.saturating_sub(size);
            last = Some(id);
        }
        let Some(last) = last else { return Ok(Vec::new()) };
        self.0.query(EDUS, params![last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// Appends a single event.
    pub fn push_pdu(&self, json: &str) -> Result<(), DatabaseError> {
        self.0.execute(INSERT_PDU, params![json])
    }

    /// The oldest single events: id and JSON.
    pub fn pdus(&self, limit: u32) -> Result<Vec<(u64, String)>, DatabaseError> {
        self.0.query(PDUS, params![limit], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// The transaction in flight.
    pub fn transaction(&self) -> Result<Option<StoredTransaction>, DatabaseError> {
        self.0.query_first(TRANSACTION, params![], read_transaction)
    }

    /// Keeps a new transaction until it has arrived.
    pub fn insert(&self, transaction: &StoredTransaction) -> Result<(), DatabaseError> {
        let cursors = serde_json::to_string(&transaction.cursors)
            .map_err(|error| DatabaseError::corrupt(error.to_string()))?;
        let StoredTransaction { txn_id, pdus, edus, last_edu, sent_ts, last_pdu, .. } = transaction;
        self.0.execute(
            INSERT_TRANSACTION,
            params![txn_id, pdus, edus, &cursors, *last_edu, *sent_ts, *last_pdu],
        )
    }

    /// The transaction in flight has arrived.
    pub fn arrived(&self, transaction: &StoredTransaction) -> Result<(), DatabaseError> {
        self.0.transaction(|| {
            for (room, position) in &transaction.cursors {
                self.advance(room.as_str(), *position, false)?;
            }
            self.0.execute(DELETE_EDUS, params![transaction.last_edu])?;
            self.0.execute(DELETE_PDUS, params![transaction.last_pdu])?;
            self.0.execute(DELETE_TRANSACTION, params![])?;
            self.0.execute(CLEAR_BACKOFF, params![])
        })
    }

    /// Failures in a row; none are all zero.
    pub fn backoff(&self) -> Result<Backoff, DatabaseError> {
        let stored = self.0.query_first(BACKOFF, params![], |row| {
            Ok(Backoff {
                failures: row.get(0)?,
                since_ts: row.get(1)?,
                retry_ts: row.get(2)?,
                last_ts: row.get(3)?,
            })
        })?;
        Ok(stored.unwrap_or_default())
    }

    /// Notes a failure.
    pub fn set_backoff(&self, backoff: Backoff) -> Result<(), DatabaseError> {
        let Backoff { failures, since_ts, retry_ts, last_ts } = backoff;
        self.0.execute(SET_BACKOFF, params![failures, since_ts, retry_ts, last_ts])
    }
}

fn read_transaction(row: &mut Row) -> Result<StoredTransaction, DatabaseError> {
    let cursors: String = row.get(3)?;
    Ok(StoredTransaction {
        txn_id: row.get(0)?,
        pdus: row.get(1)?,
        edus: row.get(2)?,
        cursors: serde_json::from_str(&cursors).map_err(|error| DatabaseError::corrupt(error.to_string()))?,
        last_edu: row.get(4)?,
        sent_ts: row.get(5)?,
        last_pdu: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::{
        database::NativeDatabase, engine::Engine, migrations::migrate, remote_server::RemoteServerEngine,
    };

    #[test]
    fn an_edu_takes_the_place_of_an_earlier_one_unless_that_is_in_flight() {
        let db = NativeDatabase::in_memory().unwrap();
        migrate(&db, RemoteServerEngine::MIGRATIONS).unwrap();
        let queue = QueueStore(&db);
        let push = |content| queue.push_edu("m.test", Some("name"), content).unwrap();
        push("1");
        let transaction = StoredTransaction {
            txn_id: "txn".to_owned(),
            pdus: "[]".to_owned(),
            edus: "[1]".to_owned(),
            cursors: Vec::new(),
            last_edu: queue.edus(10, 100).unwrap().last().unwrap().0,
            last_pdu: 0,
            sent_ts: 0,
        };
        queue.insert(&transaction).unwrap();
        push("2");
        push("3");
        let waiting =
            || queue.edus(10, 100).unwrap().into_iter().map(|(_, _, content)| content).collect::<Vec<_>>();
        assert_eq!(waiting(), ["1", "3"]);
        queue.arrived(&transaction).unwrap();
        assert_eq!(waiting(), ["3"]);
        for content in ["four", "five"] {
            queue.push_edu("m.test", None, content).unwrap();
        }
        let ids = |max_bytes| queue.edus(10, max_bytes).unwrap().len();
        assert_eq!([0, 1, 5, 8, 9].map(ids), [1, 1, 2, 2, 3], "as many as fit, but one at least");
    }
}
