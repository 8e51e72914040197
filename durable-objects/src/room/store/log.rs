//! The log.

use std::rc::Rc;

use selvedge_protocol::{nid::EventNid, state_tree::StateRoot};

use super::{Store, StoredEvent, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

const COLUMNS: &str = "position, kind, nid, root, broadcast, subject";
const AT: &str = "WHERE position = ?";
const LAST_UP_TO: &str = "WHERE position <= ? ORDER BY position DESC LIMIT 1";
const FORWARD: &str = "WHERE position > ? AND position <= ? ORDER BY position LIMIT ?";
const BACKWARD: &str = "WHERE position > ? AND position <= ? ORDER BY position DESC LIMIT ?";
const BROADCAST: &str = "WHERE position > ? AND position <= ? AND broadcast = 1 ORDER BY position LIMIT ?";
const INSERT: &str =
    "INSERT INTO log (position, kind, nid, root, broadcast, subject) VALUES (?, ?, ?, ?, ?, ?)";
const SET_ROOT: &str = "UPDATE log SET root = ? WHERE position = ?";
const DELETE: &str = "DELETE FROM log WHERE position = ?";

/// The kinds of log entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// An event; [`LogEntry::nid`] says which.
    Event,
    /// A receipt; [`LogEntry::subject`] says of what.
    Receipt,
    /// An event of this server that other servers are given and clients are not: a redaction whose target is not
    /// here. [`LogEntry::subject`] is its id.
    Withheld,
}

impl LogKind {
    fn number(self) -> u32 {
        match self {
            Self::Event => 0,
            Self::Receipt => 1,
            Self::Withheld => 2,
        }
    }

    fn of(number: u32) -> Result<Self, DatabaseError> {
        match number {
            0 => Ok(Self::Event),
            1 => Ok(Self::Receipt),
            2 => Ok(Self::Withheld),
            _ => Err(DatabaseError::corrupt("unknown kind of log entry")),
        }
    }
}

/// An entry of the log.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// Where it is.
    pub position: LogPosition,
    /// What it is.
    pub kind: LogKind,
    /// The event, for [`LogKind::Event`].
    pub nid: Option<EventNid>,
    /// The room's current state once the entry was there; for history that was fetched later, the
    /// state after its event. The difference between two entries' roots is what changed in between.
    pub root: StateRoot,
    /// Whether this server is the one that must give the entry to other servers.
    pub broadcast: bool,
    /// What an entry of another kind is about, in its own terms.
    pub subject: Option<String>,
}

impl LogEntry {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            position: LogPosition(row.get(0)?),
            kind: LogKind::of(row.get(1)?)?,
            nid: row.get::<Option<u32>>(2)?.map(EventNid),
            root: StateRoot(row.get(3)?),
            broadcast: row.get(4)?,
            subject: row.get(5)?,
        })
    }
}

/// An entry to write.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// A position that is free.
    pub position: LogPosition,
    /// See [`LogEntry::kind`].
    pub kind: LogKind,
    /// See [`LogEntry::nid`].
    pub nid: Option<EventNid>,
    /// See [`LogEntry::root`].
    pub root: StateRoot,
    /// See [`LogEntry::broadcast`].
    pub broadcast: bool,
    /// See [`LogEntry::subject`].
    pub subject: Option<&'a str>,
}

fn select(condition: &str) -> String {
    format!("SELECT {COLUMNS} FROM log {condition}")
}

impl Store {
    /// The entry at a position.
    pub fn log_entry(&self, at: LogPosition) -> Result<Option<LogEntry>, DatabaseError> {
        self.db().query_first(&select(AT), params![at.0], LogEntry::read)
    }

    /// The last entry at or before a position.
    pub fn log_last(&self, up_to: LogPosition) -> Result<Option<LogEntry>, DatabaseError> {
        self.db().query_first(&select(LAST_UP_TO), params![up_to.0], LogEntry::read)
    }

    /// Up to `limit` entries in `(after, up_to]`, first to last.
    pub fn log_forward(
        &self,
        after: LogPosition,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<LogEntry>, DatabaseError> {
        self.db().query(&select(FORWARD), params![after.0, up_to.0, limit], LogEntry::read)
    }

    /// Up to `limit` entries in `(after, up_to]`, last to first.
    pub fn log_backward(
        &self,
        after: LogPosition,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<LogEntry>, DatabaseError> {
        self.db().query(&select(BACKWARD), params![after.0, up_to.0, limit], LogEntry::read)
    }

    /// Up to `limit` entries in `(after, up_to]` that this server must give to others, first to last.
    pub fn log_broadcast(
        &self,
        after: LogPosition,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<LogEntry>, DatabaseError> {
        self.db().query(&select(BROADCAST), params![after.0, up_to.0, limit], LogEntry::read)
    }

    /// The room's state once everything up to a position was there.
    pub fn root_at(&self, position: LogPosition) -> Result<StateRoot, DatabaseError> {
        Ok(self.log_last(position)?.map_or(StateRoot::EMPTY, |entry| entry.root))
    }

    /// The event of an entry that other servers are given.
    pub fn given_event(&self, entry: &LogEntry) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        match (entry.kind, &entry.subject) {
            (LogKind::Withheld, Some(id)) => {
                let id = ruma::EventId::parse(id).map_err(|_| DatabaseError::corrupt("an event id"))?;
                self.find_event(&id)
            }
            _ => self.event_of(entry),
        }
    }

    /// The event of an entry; `None` for an entry of another kind.
    pub fn event_of(&self, entry: &LogEntry) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        entry.nid.map(|nid| self.event(nid)).transpose()
    }
}

impl Writer<'_> {
    /// Writes an entry.
    pub fn insert_log(&mut self, entry: &NewEntry<'_>) -> Result<(), DatabaseError> {
        self.db().execute(
            INSERT,
            params![
                entry.position.0,
                entry.kind.number(),
                entry.nid.map(|nid| nid.0),
                entry.root.0,
                entry.broadcast,
                entry.subject
            ],
        )
    }

    /// Says of an entry that the state after it was another.
    pub fn set_log_root(&mut self, position: LogPosition, root: StateRoot) -> Result<(), DatabaseError> {
        self.db().execute(SET_ROOT, params![root.0, position.0])
    }

    /// Takes an entry out that a later one replaces, such as an earlier receipt of the same user, or that should not
    /// have come in.
    pub fn delete_log(&mut self, position: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(DELETE, params![position.0])
    }
}
