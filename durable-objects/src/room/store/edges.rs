//! The edges of what is here: backward extremities, gaps of history, who cites whom.

use ruma::{EventId, OwnedEventId};
use selvedge_protocol::nid::EventNid;

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
    rpc::room::LogPosition,
};

const MISSING_BY_ID: &str = "SELECT child, gap FROM missing_prev WHERE event_id = ?";
const MISSING_UP_TO: &str = "SELECT m.event_id FROM missing_prev m JOIN gap g ON g.id = m.gap \
     WHERE g.free <= ? GROUP BY m.event_id ORDER BY max(g.free) DESC LIMIT ?";
const OPEN_GAP: &str = "SELECT id, free FROM gap WHERE free < ? AND free >= ? \
     AND EXISTS (SELECT 1 FROM missing_prev m WHERE m.gap = gap.id) ORDER BY free DESC LIMIT 1";
const INSERT_MISSING: &str = "INSERT INTO missing_prev (event_id, child, gap) VALUES (?, ?, ?) \
     ON CONFLICT (event_id, child) DO UPDATE SET gap = excluded.gap";
const DELETE_MISSING: &str = "DELETE FROM missing_prev WHERE event_id = ?";
const GAP: &str = "SELECT free FROM gap WHERE id = ?";
const SET_GAP: &str =
    "INSERT INTO gap (id, free) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET free = excluded.free";
const CITE: &str = "INSERT INTO auth_citer (cited, citer) VALUES (?, ?) ON CONFLICT DO NOTHING";
const CITERS: &str = "SELECT citer FROM auth_citer WHERE cited = ? AND citer < ? ORDER BY citer DESC LIMIT ?";

/// A previous event that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPrev {
    /// The event that names it.
    pub child: EventNid,
    /// The gap that it belongs into; `None` when the child is not in the log.
    pub gap: Option<u64>,
}

/// A stretch of history that is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// What names it: the position of the first event after it, when it was made.
    pub id: u64,
    /// The largest position in it that is free.
    pub free: LogPosition,
}

impl Store {
    /// Who names this event in `prev_events` while it was missing.
    pub fn missing_prev(&self, event_id: &EventId) -> Result<Vec<MissingPrev>, DatabaseError> {
        self.db().query(MISSING_BY_ID, params![event_id.as_str()], |row| {
            Ok(MissingPrev { child: EventNid(row.get(0)?), gap: row.get(1)? })
        })
    }

    /// Up to `limit` missing previous events whose place is at or below `up_to`, nearest first: the
    /// backward extremities to ask other servers to backfill from.
    pub fn backward_extremities(
        &self,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<OwnedEventId>, DatabaseError> {
        let ids: Vec<String> = self.db().query(MISSING_UP_TO, params![up_to.0, limit], |row| row.get(0))?;
        ids.into_iter()
            .map(|id| OwnedEventId::try_from(id).map_err(|_| DatabaseError::corrupt("event id")))
            .collect()
    }

    /// The latest gap within `(after, up_to]`: paging backwards from `up_to` must stop at its
    /// [`Gap::free`] until it is filled.
    pub fn gap_in(&self, after: LogPosition, up_to: LogPosition) -> Result<Option<Gap>, DatabaseError> {
        self.db().query_first(OPEN_GAP, params![up_to.0, after.0], |row| {
            Ok(Gap { id: row.get(0)?, free: LogPosition(row.get(1)?) })
        })
    }

    /// The gap with this id.
    pub fn gap(&self, id: u64) -> Result<Gap, DatabaseError> {
        let free = self.db().query_first(GAP, params![id], |row| row.get(0))?;
        free.map(|free| Gap { id, free: LogPosition(free) })
            .ok_or_else(|| DatabaseError::corrupt("no such gap"))
    }

    /// State events with `cited` among their auth events and a nid below `below`, newest first.
    pub fn citers(
        &self,
        cited: EventNid,
        below: Option<EventNid>,
        limit: usize,
    ) -> Result<Vec<EventNid>, DatabaseError> {
        let below = below.map_or(i64::from(u32::MAX).saturating_add(1), |nid| i64::from(nid.0));
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self.db().query(CITERS, params![cited.0, below, limit], |row| row.get(0).map(EventNid))
    }
}

impl Writer<'_> {
    /// Records that `child` names a previous event that is not here.
    pub fn insert_missing(
        &mut self,
        event_id: &EventId,
        child: EventNid,
        gap: Option<u64>,
    ) -> Result<(), DatabaseError> {
        self.db().execute(INSERT_MISSING, params![event_id.as_str(), child.0, gap])
    }

    /// The event is here now.
    pub fn delete_missing(&mut self, event_id: &EventId) -> Result<(), DatabaseError> {
        self.db().execute(DELETE_MISSING, params![event_id.as_str()])
    }

    /// Writes a gap.
    pub fn set_gap(&mut self, gap: Gap) -> Result<(), DatabaseError> {
        self.db().execute(SET_GAP, params![gap.id, gap.free.0])
    }

    /// Records that the state event `by` has `cited` among its auth events.
    pub fn insert_citer(&mut self, cited: EventNid, by: EventNid) -> Result<(), DatabaseError> {
        self.db().execute(CITE, params![cited.0, by.0])
    }
}
