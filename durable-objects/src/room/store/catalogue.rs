//! The catalogue: by what events are found other than by position.

use ruma::{EventId, OwnedEventId};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    full_text::spaced,
    params,
    rpc::room::LogPosition,
};

const REACHED: &str = "SELECT position FROM catalogue";
const SET_REACHED: &str = "INSERT INTO catalogue (one, position) VALUES (1, ?) \
     ON CONFLICT (one) DO UPDATE SET position = excluded.position";
const ADD_DATED: &str = "INSERT INTO dated_event (ts, position) VALUES (?, ?) ON CONFLICT DO NOTHING";
const REMOVE_DATED: &str = "DELETE FROM dated_event WHERE ts = ? AND position = ?";
const AFTER: &str =
    "SELECT ts, position FROM dated_event WHERE (ts, position) > (?, ?) ORDER BY ts, position LIMIT ?";
const BEFORE: &str = "SELECT ts, position FROM dated_event WHERE (ts, position) < (?, ?) ORDER BY ts DESC, position DESC LIMIT ?";
const ADD_THREAD: &str = "INSERT INTO thread (root, latest) VALUES (?, ?) \
     ON CONFLICT (root) DO UPDATE SET latest = excluded.latest WHERE excluded.latest > thread.latest";
const THREADS: &str = "SELECT root, latest FROM thread WHERE latest <= ? ORDER BY latest DESC LIMIT ?";
const ADD_WORDS: &str = "INSERT INTO words (rowid, body, name, topic) VALUES (?, ?, ?, ?)";
const REMOVE_WORDS: &str = "DELETE FROM words WHERE rowid = ?";
const BY_POSITION: &str =
    "SELECT rowid, rank FROM words WHERE words MATCH ? AND rowid <= ? ORDER BY rowid DESC LIMIT ?";
const BY_RANK: &str = "SELECT position, fit FROM (SELECT rowid AS position, rank AS fit FROM words \
     WHERE words MATCH ? AND rowid <= ? ORDER BY rowid DESC LIMIT ?) ORDER BY fit, position DESC LIMIT ? OFFSET ?";
const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)";

/// The text of an event that is searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Words<'a> {
    /// `body` of an `m.room.message`.
    pub body: Option<&'a str>,
    /// `name` of an `m.room.name`.
    pub name: Option<&'a str>,
    /// `topic` of an `m.room.topic`.
    pub topic: Option<&'a str>,
}

/// An event found by its words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Where it is.
    pub position: LogPosition,
    /// How well it fits; greater is better.
    pub rank: f64,
}

impl Store {
    /// Up to which position the catalogue goes.
    pub fn catalogued(&self) -> Result<LogPosition, DatabaseError> {
        Ok(self.db().query_first(REACHED, params![], |row| row.get(0))?.map(LogPosition).unwrap_or_default())
    }

    /// Up to `limit` events by time, after `(ts, position)` or, backwards, before.
    pub fn dated_events(
        &self,
        from: (u64, LogPosition),
        is_forward: bool,
        limit: u32,
    ) -> Result<Vec<(u64, LogPosition)>, DatabaseError> {
        let sql = if is_forward { AFTER } else { BEFORE };
        self.db()
            .query(sql, params![from.0, from.1.0, limit], |row| Ok((row.get(0)?, LogPosition(row.get(1)?))))
    }

    /// Up to `limit` roots of threads whose last event is at `up_to` or before, the latest first, each with the
    /// position of that event.
    pub fn threads(
        &self,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<(OwnedEventId, LogPosition)>, DatabaseError> {
        self.db().query(THREADS, params![up_to.0, limit], |row| {
            let root: String = row.get(0)?;
            let root = OwnedEventId::try_from(root).map_err(|_| DatabaseError::corrupt("event id"))?;
            Ok((root, LogPosition(row.get(1)?)))
        })
    }

    /// Up to `limit` events that match a full-text query, at `up_to` or before, the latest first.
    pub fn find_words(
        &self,
        query: &str,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<Found>, DatabaseError> {
        self.db().query(BY_POSITION, params![query, up_to.0, limit], found)
    }

    /// Up to `limit` of the latest `among` events that match a full-text query, at `up_to` or before: the best first,
    /// without the best `skipped`.
    pub fn find_words_by_rank(
        &self,
        query: &str,
        up_to: LogPosition,
        among: u32,
        skipped: u64,
        limit: u32,
    ) -> Result<Vec<Found>, DatabaseError> {
        self.db().query(BY_RANK, params![query, up_to.0, among, limit, skipped], found)
    }

    /// How many events match a full-text query; `most` if there are more.
    pub fn count_words(&self, query: &str, most: u32) -> Result<u64, DatabaseError> {
        Ok(self.db().query_first(COUNT, params![query, most], |row| row.get(0))?.unwrap_or(0))
    }
}

fn found(row: &mut crate::database::Row) -> Result<Found, DatabaseError> {
    // SQLite's rank is better the smaller it is.
    Ok(Found { position: LogPosition(row.get(0)?), rank: -row.get::<f64>(1)? })
}

impl Writer<'_> {
    /// The catalogue goes up to here now.
    pub fn set_catalogued(&mut self, position: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(SET_REACHED, params![position.0])
    }

    /// Enters an event by its time.
    pub fn add_dated_event(&mut self, ts: u64, position: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(ADD_DATED, params![ts, position.0])
    }

    /// Takes out an event that is no longer at `position`.
    pub fn remove_dated_event(&mut self, ts: u64, position: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(REMOVE_DATED, params![ts, position.0])
    }

    /// Enters an event of a thread.
    pub fn add_thread_event(&mut self, root: &EventId, position: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(ADD_THREAD, params![root.as_str(), position.0])
    }

    /// Enters the words of an event.
    pub fn add_words(&mut self, position: LogPosition, words: Words<'_>) -> Result<(), DatabaseError> {
        let [body, name, topic] = [words.body, words.name, words.topic].map(|text| text.map(spaced));
        self.db().execute(ADD_WORDS, params![position.0, body.as_deref(), name.as_deref(), topic.as_deref()])
    }

    /// Takes the words of an event out.
    pub fn remove_words(&mut self, position: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(REMOVE_WORDS, params![position.0])
    }
}
