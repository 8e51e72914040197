//! Events.

use std::rc::Rc;

use ruma::{EventId, OwnedEventId};
use selvedge_protocol::{
    event::Pdu,
    nid::{EventNid, StateKeyNid},
    state_tree::StateRoot,
};

use super::{Store, Txn, Writer, pack, unpack};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

macro_rules! columns {
    () => {
        "nid, event_id, key, generation, auth_events, standing, position, state_before, state_after, \
         redacted_by, txn, rejection, json"
    };
}
const BY_NID: &str = concat!("SELECT ", columns!(), " FROM event WHERE nid = ?");
const IN_LOG: &str = concat!(
    "SELECT ",
    columns!(),
    ", (SELECT broadcast FROM log WHERE log.position = event.position) FROM event \
     WHERE nid = (SELECT nid FROM log WHERE log.position = ?)"
);
const NID_OF: &str = "SELECT nid FROM event WHERE event_id = ?";
const ID_OF: &str = "SELECT event_id FROM event WHERE nid = ?";
const ROW: &str =
    "SELECT nid, key, generation, auth_events, standing, state_before, state_after FROM event WHERE nid = ?";
const POSITION: &str = "SELECT position FROM event WHERE nid = ?";
const MEMBERSHIP: &str = "SELECT membership FROM event WHERE nid = ?";
const PLACED_BEFORE: &str =
    "SELECT nid FROM event WHERE nid < ? AND state_before IS NOT NULL ORDER BY nid DESC LIMIT ?";
const UNCHECKED: &str = "SELECT nid FROM unchecked LIMIT ?";
const INSERT_UNCHECKED: &str = "INSERT INTO unchecked (nid) VALUES (?)";
const DELETE_UNCHECKED: &str = "DELETE FROM unchecked WHERE nid = ?";
const INSERT: &str = "INSERT INTO event (nid, event_id, sender, type, key, membership, ts, depth, generation, \
     auth_events, standing, rejection, position, state_before, state_after, redacted_by, txn, json) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const PLACE: &str = "UPDATE event SET generation = ?, auth_events = ?, standing = ?, rejection = ?, position = ?, \
     state_before = ?, state_after = ?, redacted_by = coalesce(?, redacted_by), json = ? WHERE nid = ?";
const SET_POSITION: &str = "UPDATE event SET position = ? WHERE nid = ?";
const CHECKED: &str =
    "UPDATE event SET generation = ?, auth_events = ?, standing = ?, rejection = ? WHERE nid = ?";
const DECIDE: &str =
    "UPDATE event SET standing = ?, rejection = ?, state_before = ?, state_after = ? WHERE nid = ?";
const REDACT: &str = "UPDATE event SET redacted_by = ?, json = ? WHERE nid = ?";

/// What was decided about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Allowed. An outlier (see [`StoredEvent::is_outlier`]) was checked against its auth events only.
    Accepted,
    /// Allowed where it stands in the DAG, but not by the current state when it came: in the DAG, and
    /// not shown to clients nor built upon.
    SoftFailed,
    /// Forbidden.
    Rejected,
    /// Part of an import under way, and not checked yet.
    Unchecked,
}

impl Standing {
    fn number(self) -> u32 {
        match self {
            Self::Accepted => 0,
            Self::SoftFailed => 1,
            Self::Rejected => 2,
            Self::Unchecked => 3,
        }
    }

    fn of(number: u32) -> Result<Self, DatabaseError> {
        Ok(match number {
            0 => Self::Accepted,
            1 => Self::SoftFailed,
            2 => Self::Rejected,
            3 => Self::Unchecked,
            _ => return Err(DatabaseError::corrupt("unknown standing of an event")),
        })
    }
}

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its number in this room.
    pub nid: EventNid,
    /// The event; its redacted form once it is redacted.
    pub pdu: Rc<Pdu>,
    /// The number of its type and state key, for a state event.
    pub key: Option<StateKeyNid>,
    /// One more than the largest generation among its auth events, 0 without any.
    pub generation: u32,
    /// Its auth events.
    pub auth_events: Rc<[EventNid]>,
    /// What was decided about it.
    pub standing: Standing,
    /// The rule that it broke, if it was rejected or soft-failed.
    pub rejection: Option<String>,
    /// Where it is in the log, if it is: only events there are shown to clients.
    pub position: Option<LogPosition>,
    /// The states before and after it; `None` for an outlier.
    pub states: Option<States>,
    /// The redaction that was applied to it.
    pub redacted_by: Option<EventNid>,
    /// The transaction by which a client of this server sent it.
    pub txn: Option<Txn>,
}

/// The states around an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct States {
    /// Before it: resolved from those after its previous events.
    pub before: StateRoot,
    /// After it: differs for an accepted state event.
    pub after: StateRoot,
}

impl StoredEvent {
    /// Whether only the event is known, not its place: it is here because others name it in their
    /// auth events or it was state when this server joined.
    pub fn is_outlier(&self) -> bool {
        self.states.is_none()
    }

    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        let id: String = row.get(1)?;
        let event_id = OwnedEventId::try_from(id).map_err(|_| DatabaseError::corrupt("event id"))?;
        let json: String = row.get(12)?;
        let pdu =
            Pdu::from_stored(event_id, json).map_err(|error| DatabaseError::corrupt(error.to_string()))?;
        let txn: Option<String> = row.get(10)?;
        Ok(Self {
            nid: EventNid(row.get(0)?),
            pdu: Rc::new(pdu),
            key: row.get::<Option<u32>>(2)?.map(StateKeyNid),
            generation: row.get(3)?,
            auth_events: unpack(&row.get::<Vec<u8>>(4)?)?.into(),
            standing: Standing::of(row.get(5)?)?,
            position: row.get::<Option<u64>>(6)?.map(LogPosition),
            states: read_states(row, 7)?,
            redacted_by: row.get::<Option<u32>>(9)?.map(EventNid),
            txn: txn.as_deref().and_then(Txn::of),
            rejection: row.get(11)?,
        })
    }
}

fn read_states(row: &mut Row, index: usize) -> Result<Option<States>, DatabaseError> {
    let before: Option<u32> = row.get(index)?;
    let after: Option<u32> = row.get(index.saturating_add(1))?;
    Ok(before.zip(after).map(|(before, after)| States { before: StateRoot(before), after: StateRoot(after) }))
}

/// The part of an event's row that walks over the graph need.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its number in this room.
    pub nid: EventNid,
    /// The number of its type and state key, for a state event.
    pub key: Option<StateKeyNid>,
    /// See [`StoredEvent::generation`].
    pub generation: u32,
    /// Its auth events.
    pub auth_events: Rc<[EventNid]>,
    /// What was decided about it.
    pub standing: Standing,
    /// The states before and after it; `None` for an outlier.
    pub states: Option<States>,
}

/// A row to insert.
#[derive(Debug)]
pub struct NewRow<'a> {
    /// A nid that is free.
    pub nid: EventNid,
    /// The event.
    pub pdu: &'a Pdu,
    /// See [`StoredEvent::key`].
    pub key: Option<StateKeyNid>,
    /// See [`StoredEvent::generation`].
    pub generation: u32,
    /// See [`StoredEvent::auth_events`].
    pub auth_events: &'a [EventNid],
    /// See [`StoredEvent::standing`].
    pub standing: Standing,
    /// See [`StoredEvent::rejection`].
    pub rejection: Option<&'a str>,
    /// See [`StoredEvent::position`].
    pub position: Option<LogPosition>,
    /// See [`StoredEvent::states`].
    pub states: Option<States>,
    /// See [`StoredEvent::redacted_by`].
    pub redacted_by: Option<EventNid>,
    /// See [`StoredEvent::txn`].
    pub txn: Option<&'a Txn>,
}

/// What was decided about an event.
#[derive(Debug)]
pub struct Decision<'a> {
    /// See [`StoredEvent::standing`].
    pub standing: Standing,
    /// See [`StoredEvent::rejection`].
    pub rejection: Option<&'a str>,
    /// See [`StoredEvent::states`].
    pub states: States,
}

impl Store {
    /// The numbers of up to `limit` events with a place in the DAG, below `before`, the latest first.
    pub fn placed_before(&self, before: u32, limit: u32) -> Result<Vec<EventNid>, DatabaseError> {
        self.db().query(PLACED_BEFORE, params![before, limit], |row| row.get(0).map(EventNid))
    }

    fn cached(&self, event: StoredEvent) -> Rc<StoredEvent> {
        let event = Rc::new(event);
        let weight = event.pdu.json().len().saturating_add(512);
        self.inner.events.borrow_mut().put(event.nid, Rc::clone(&event), weight);
        event
    }

    /// The event with this number, which was got from this store.
    pub fn event(&self, nid: EventNid) -> Result<Rc<StoredEvent>, DatabaseError> {
        if let Some(event) = self.inner.events.borrow().get(&nid) {
            return Ok(event);
        }
        let event = self.db().query_first(BY_NID, params![nid.0], StoredEvent::read)?;
        event.map(|event| self.cached(event)).ok_or_else(|| DatabaseError::corrupt("no such event"))
    }

    /// The event with this id, whatever was decided about it.
    pub fn find_event(&self, event_id: &EventId) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        // In two steps, for what is asked for again and again is in the cache.
        self.find_nid(event_id)?.map(|nid| self.event(nid)).transpose()
    }

    /// The event at this position of the log, and whether this server must give it to other servers.
    pub fn event_at(&self, at: LogPosition) -> Result<Option<(Rc<StoredEvent>, bool)>, DatabaseError> {
        let found = self
            .db()
            .query_first(IN_LOG, params![at.0], |row| Ok((StoredEvent::read(row)?, row.get(13)?)))?;
        Ok(found.map(|(event, broadcast)| (self.cached(event), broadcast)))
    }

    /// The number of the event with this id.
    pub fn find_nid(&self, event_id: &EventId) -> Result<Option<EventNid>, DatabaseError> {
        Ok(self.db().query_first(NID_OF, params![event_id.as_str()], |row| row.get(0))?.map(EventNid))
    }

    /// The id of the event with this number.
    pub fn event_id(&self, nid: EventNid) -> Result<OwnedEventId, DatabaseError> {
        let id: Option<String> = self.db().query_first(ID_OF, params![nid.0], |row| row.get(0))?;
        id.and_then(|id| OwnedEventId::try_from(id).ok())
            .ok_or_else(|| DatabaseError::corrupt("no such event"))
    }

    /// Where the event is in the log, if it is.
    pub fn event_position(&self, nid: EventNid) -> Result<Option<LogPosition>, DatabaseError> {
        let position: Option<Option<u64>> =
            self.db().query_first(POSITION, params![nid.0], |row| row.get(0))?;
        Ok(position.flatten().map(LogPosition))
    }

    /// The event's place in the graph, without its text.
    pub fn event_row(&self, nid: EventNid) -> Result<EventRow, DatabaseError> {
        if let Some(event) = self.inner.events.borrow().get(&nid) {
            return Ok(EventRow {
                nid,
                key: event.key,
                generation: event.generation,
                auth_events: Rc::clone(&event.auth_events),
                standing: event.standing,
                states: event.states,
            });
        }
        let row = self.db().query_first(ROW, params![nid.0], |row| {
            Ok(EventRow {
                nid: EventNid(row.get(0)?),
                key: row.get::<Option<u32>>(1)?.map(StateKeyNid),
                generation: row.get(2)?,
                auth_events: unpack(&row.get::<Vec<u8>>(3)?)?.into(),
                standing: Standing::of(row.get(4)?)?,
                states: read_states(row, 5)?,
            })
        })?;
        row.ok_or_else(|| DatabaseError::corrupt("no such event"))
    }

    /// The `membership` of an `m.room.member`; `None` for other events and where it is not a string.
    pub fn membership_of(&self, nid: EventNid) -> Result<Option<String>, DatabaseError> {
        Ok(self.db().query_first(MEMBERSHIP, params![nid.0], |row| row.get(0))?.flatten())
    }

    /// Up to `limit` events of the import under way that were not checked yet.
    pub fn unchecked(&self, limit: u32) -> Result<Vec<EventNid>, DatabaseError> {
        self.db().query(UNCHECKED, params![limit], |row| row.get(0).map(EventNid))
    }
}

impl Writer<'_> {
    /// Inserts an event.
    pub fn insert_event(&mut self, row: &NewRow<'_>) -> Result<(), DatabaseError> {
        let pdu = row.pdu;
        let membership =
            if pdu.event_type() == "m.room.member" { pdu.content_str("membership") } else { None };
        self.db().execute(
            INSERT,
            params![
                row.nid.0,
                pdu.event_id().as_str(),
                pdu.sender().as_str(),
                pdu.event_type(),
                row.key.map(|key| key.0),
                membership.as_deref(),
                u64::from(pdu.origin_server_ts().get()),
                pdu.depth(),
                row.generation,
                &pack(row.auth_events),
                row.standing.number(),
                row.rejection,
                row.position.map(|position| position.0),
                row.states.map(|states| states.before.0),
                row.states.map(|states| states.after.0),
                row.redacted_by.map(|nid| nid.0),
                row.txn.map(Txn::column).as_deref(),
                pdu.json(),
            ],
        )?;
        if row.standing == Standing::Unchecked {
            self.db().execute(INSERT_UNCHECKED, params![row.nid.0])?;
        }
        Ok(())
    }

    /// Gives an outlier its place: writes all of its row but the event's own fields.
    pub fn place_event(&mut self, row: &NewRow<'_>) -> Result<(), DatabaseError> {
        if self.event_row(row.nid)?.standing == Standing::Unchecked {
            self.db().execute(DELETE_UNCHECKED, params![row.nid.0])?;
        }
        self.inner.events.borrow_mut().remove(&row.nid);
        self.db().execute(
            PLACE,
            params![
                row.generation,
                &pack(row.auth_events),
                row.standing.number(),
                row.rejection,
                row.position.map(|position| position.0),
                row.states.map(|states| states.before.0),
                row.states.map(|states| states.after.0),
                row.redacted_by.map(|nid| nid.0),
                row.pdu.json(),
                row.nid.0
            ],
        )
    }

    /// Notes where an event is in the log: one that was held back, or is taken out.
    pub fn set_position(
        &mut self,
        nid: EventNid,
        position: Option<LogPosition>,
    ) -> Result<(), DatabaseError> {
        self.inner.events.borrow_mut().remove(&nid);
        self.db().execute(SET_POSITION, params![position.map(|position| position.0), nid.0])
    }

    /// Records what was decided about an event in its place, a second time.
    pub fn decide(&mut self, nid: EventNid, decision: &Decision<'_>) -> Result<(), DatabaseError> {
        self.inner.events.borrow_mut().remove(&nid);
        let Decision { standing, rejection, states } = decision;
        self.db()
            .execute(DECIDE, params![standing.number(), *rejection, states.before.0, states.after.0, nid.0])
    }

    /// Records the outcome for an event that was [`Standing::Unchecked`].
    pub fn set_checked(
        &mut self,
        nid: EventNid,
        generation: u32,
        auth_events: &[EventNid],
        standing: Standing,
        rejection: Option<&str>,
    ) -> Result<(), DatabaseError> {
        self.db().execute(DELETE_UNCHECKED, params![nid.0])?;
        self.inner.events.borrow_mut().remove(&nid);
        self.db()
            .execute(CHECKED, params![generation, &pack(auth_events), standing.number(), rejection, nid.0])
    }

    /// Replaces an event by its redacted form.
    pub fn set_redacted(
        &mut self,
        nid: EventNid,
        redaction: EventNid,
        redacted: &Pdu,
    ) -> Result<(), DatabaseError> {
        self.inner.events.borrow_mut().remove(&nid);
        self.db().execute(REDACT, params![redaction.0, redacted.json(), nid.0])
    }
}
