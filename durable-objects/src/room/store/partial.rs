//! What is listed while not all of the room's state is here.

use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};
use selvedge_protocol::{nid::EventNid, state_tree::StateRoot};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

const EVENTS: &str = "SELECT nid, begins, basis, told, place, is_partial FROM partial_event ORDER BY seq";
const EVENT: &str = "SELECT nid, begins, basis, told, place, is_partial FROM partial_event WHERE nid = ?";
const AWAITED: &str = "SELECT nid FROM partial_event WHERE basis = 3 ORDER BY seq LIMIT 1";
const LATER_STAY: &str = "SELECT seq FROM partial_event WHERE begins = 1 \
     AND seq > (SELECT seq FROM partial_event WHERE nid = ?) ORDER BY seq LIMIT 1";
const INSERT_EVENT: &str =
    "INSERT INTO partial_event (nid, begins, basis, told, place, is_partial) VALUES (?, ?, ?, ?, ?, ?)";
const SET_TOLD: &str = "UPDATE partial_event SET basis = 1, told = ? WHERE nid = ?";
const AWAIT: &str = "UPDATE partial_event SET basis = 3 WHERE seq = ? AND basis = 0";
const DELETE_BEFORE: &str = "DELETE FROM partial_event WHERE seq < ?";
const SERVERS: &str = "SELECT name FROM partial_server ORDER BY number";
const IS_SERVER: &str = "SELECT 1 FROM partial_server WHERE name = ?";
const INSERT_SERVER: &str = "INSERT INTO partial_server (name) VALUES (?)";
const FETCH: &str = "SELECT attempts, next_ts FROM partial_fetch";
const SET_FETCH: &str = "INSERT INTO partial_fetch (one, attempts, next_ts) VALUES (1, ?, ?) \
     ON CONFLICT (one) DO UPDATE SET attempts = excluded.attempts, next_ts = excluded.next_ts";
const CLEAR_FETCH: &str = "DELETE FROM partial_fetch";
const DEVICE_CHANGES: &str = "SELECT user_id FROM partial_device_change";
const INSERT_DEVICE_CHANGE: &str =
    "INSERT INTO partial_device_change (user_id) VALUES (?) ON CONFLICT DO NOTHING";
const SHOWN_ROOT: &str =
    "SELECT position, root FROM shown_root WHERE position <= ? ORDER BY position DESC LIMIT 1";
const SET_SHOWN_ROOT: &str = "INSERT INTO shown_root (position, root) VALUES (?, ?) ON CONFLICT DO NOTHING";
const CLEAR: [&str; 4] = [
    "DELETE FROM partial_event",
    "DELETE FROM partial_server",
    CLEAR_FETCH,
    "DELETE FROM partial_device_change",
];

/// What the state before an event rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The states after its previous events.
    PrevEvents,
    /// Another server told of it.
    Told(StateRoot),
    /// The same of the state after those of its previous events that were missing.
    ToldAfterMissing(StateRoot),
    /// It is to be fetched.
    Awaited,
}

impl Basis {
    fn columns(self) -> (u32, Option<u32>) {
        match self {
            Self::PrevEvents => (0, None),
            Self::Told(root) => (1, Some(root.0)),
            Self::ToldAfterMissing(root) => (2, Some(root.0)),
            Self::Awaited => (3, None),
        }
    }

    fn of(basis: u32, told: Option<u32>) -> Result<Self, DatabaseError> {
        match (basis, told.map(StateRoot)) {
            (0, _) => Ok(Self::PrevEvents),
            (1, Some(root)) => Ok(Self::Told(root)),
            (2, Some(root)) => Ok(Self::ToldAfterMissing(root)),
            (3, _) => Ok(Self::Awaited),
            _ => Err(DatabaseError::corrupt("unknown basis of a state")),
        }
    }
}

/// Where an event went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceTaken {
    /// To the end of the log, or nowhere if it was not accepted. `is_head`: as a forward extremity.
    End {
        /// Whether nothing follows it.
        is_head: bool,
    },
    /// Elsewhere in the log.
    Gap,
    /// Not into the log.
    Nowhere,
}

impl PlaceTaken {
    fn number(self) -> u32 {
        match self {
            Self::End { is_head: true } => 0,
            Self::End { is_head: false } => 1,
            Self::Gap => 2,
            Self::Nowhere => 3,
        }
    }

    fn of(number: u32) -> Result<Self, DatabaseError> {
        match number {
            0 => Ok(Self::End { is_head: true }),
            1 => Ok(Self::End { is_head: false }),
            2 => Ok(Self::Gap),
            3 => Ok(Self::Nowhere),
            _ => Err(DatabaseError::corrupt("unknown place of an event")),
        }
    }
}

/// An event that was taken in while not all of the state was here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialEvent {
    /// The event.
    pub nid: EventNid,
    /// Whether it is a join with which a stay of this server began.
    pub begins: bool,
    /// What the state before it rests on.
    pub basis: Basis,
    /// Where it went.
    pub place: PlaceTaken,
    /// Whether the state before it lacks members.
    pub is_partial: bool,
}

impl PartialEvent {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            nid: EventNid(row.get(0)?),
            begins: row.get(1)?,
            basis: Basis::of(row.get(2)?, row.get(3)?)?,
            place: PlaceTaken::of(row.get(4)?)?,
            is_partial: row.get(5)?,
        })
    }
}

/// How the fetching of the state goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// How often it failed.
    pub attempts: u32,
    /// When to try again, in milliseconds.
    pub next_ts: u64,
}

impl Store {
    /// The listed events, in the order in which they were taken in.
    pub fn partial_events(&self) -> Result<Vec<PartialEvent>, DatabaseError> {
        self.db().query(EVENTS, params![], PartialEvent::read)
    }

    /// What is listed of an event.
    pub fn partial_event(&self, nid: EventNid) -> Result<Option<PartialEvent>, DatabaseError> {
        self.db().query_first(EVENT, params![nid.0], PartialEvent::read)
    }

    /// The first join before which the state is still to be fetched.
    pub fn awaited_join(&self) -> Result<Option<EventNid>, DatabaseError> {
        Ok(self.db().query_first(AWAITED, params![], |row| row.get(0))?.map(EventNid))
    }

    /// The servers that are said to take part.
    pub fn partial_servers(&self) -> Result<Vec<OwnedServerName>, DatabaseError> {
        let names: Vec<String> = self.db().query(SERVERS, params![], |row| row.get(0))?;
        names
            .into_iter()
            .map(|name| OwnedServerName::try_from(name).map_err(|_| DatabaseError::corrupt("server name")))
            .collect()
    }

    /// Whether a server is said to take part.
    pub fn is_partial_server(&self, name: &ServerName) -> Result<bool, DatabaseError> {
        Ok(self.db().query_first(IS_SERVER, params![name.as_str()], |_| Ok(()))?.is_some())
    }

    /// How the fetching of the state goes.
    pub fn fetch_progress(&self) -> Result<FetchProgress, DatabaseError> {
        let read = |row: &mut Row| Ok(FetchProgress { attempts: row.get(0)?, next_ts: row.get(1)? });
        Ok(self.db().query_first(FETCH, params![], read)?.unwrap_or_default())
    }

    /// Who changed their devices while it was not known whether they are joined.
    pub fn partial_device_changes(&self) -> Result<Vec<OwnedUserId>, DatabaseError> {
        let ids = self.db().query(DEVICE_CHANGES, params![], |row| row.get::<String>(0))?;
        Ok(ids.into_iter().filter_map(|id| OwnedUserId::try_from(id).ok()).collect())
    }

    /// The state that clients were shown at a position: as the log said it then.
    pub fn shown_root_at(&self, position: LogPosition) -> Result<StateRoot, DatabaseError> {
        let Some(entry) = self.log_last(position)? else { return Ok(StateRoot::EMPTY) };
        if position >= self.meta()?.whole_since {
            return Ok(entry.root);
        }
        let read = |row: &mut Row| Ok((LogPosition(row.get(0)?), StateRoot(row.get(1)?)));
        let shown = self.db().query_first(SHOWN_ROOT, params![position.0], read)?;
        // Also of an entry that was taken out since.
        Ok(shown.filter(|(at, _)| *at >= entry.position).map_or(entry.root, |(_, root)| root))
    }
}

impl Writer<'_> {
    /// Lists an event.
    pub fn insert_partial_event(&mut self, event: &PartialEvent) -> Result<(), DatabaseError> {
        let (basis, told) = event.basis.columns();
        self.db().execute(
            INSERT_EVENT,
            params![event.nid.0, event.begins, basis, told, event.place.number(), event.is_partial],
        )
    }

    /// The state before a join was fetched.
    pub fn set_told(&mut self, nid: EventNid, root: StateRoot) -> Result<(), DatabaseError> {
        self.db().execute(SET_TOLD, params![root.0, nid.0])
    }

    /// Takes what was listed before the stay after that of the join `nid` from the list; whether there is such a stay.
    /// The state before that one is to be fetched then.
    pub fn drop_stay(&mut self, nid: EventNid) -> Result<bool, DatabaseError> {
        let next: Option<u64> = self.db().query_first(LATER_STAY, params![nid.0], |row| row.get(0))?;
        let Some(next) = next else { return Ok(false) };
        self.db().execute(AWAIT, params![next])?;
        self.db().execute(DELETE_BEFORE, params![next])?;
        Ok(true)
    }

    /// Notes a server that is said to take part.
    pub fn insert_partial_server(&mut self, name: &ServerName) -> Result<(), DatabaseError> {
        self.db().execute(INSERT_SERVER, params![name.as_str()])
    }

    /// Notes how the fetching of the state goes.
    pub fn set_fetch_progress(&mut self, progress: FetchProgress) -> Result<(), DatabaseError> {
        self.db().execute(SET_FETCH, params![progress.attempts, progress.next_ts])
    }

    /// The fetching of the state begins anew.
    pub fn clear_fetch_progress(&mut self) -> Result<(), DatabaseError> {
        self.db().execute(CLEAR_FETCH, params![])
    }

    /// Notes that one of whom it is not known whether they are joined changed their devices.
    pub fn insert_partial_device_change(&mut self, user_id: &UserId) -> Result<(), DatabaseError> {
        self.db().execute(INSERT_DEVICE_CHANGE, params![user_id.as_str()])
    }

    /// Keeps the state that clients were shown at an entry of the log.
    pub fn keep_shown_root(&mut self, position: LogPosition, root: StateRoot) -> Result<(), DatabaseError> {
        self.db().execute(SET_SHOWN_ROOT, params![position.0, root.0])
    }

    /// The state is whole: nothing is listed any more.
    pub fn clear_partial(&mut self) -> Result<(), DatabaseError> {
        CLEAR.iter().try_for_each(|statement| self.db().execute(statement, params![]))
    }
}
