//! Relations and redactions.

use ruma::EventId;
use selvedge_protocol::{event::Pdu, nid::EventNid, relations::Relation};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

const CHILDREN: &str = "SELECT position, child, rel_type, event_type, sender, key FROM relation WHERE parent = ? \
     AND position > ? AND position <= ? ORDER BY position DESC LIMIT ?";
const INSERT: &str = "INSERT INTO relation (parent, position, child, rel_type, event_type, sender, key) \
     VALUES (?, ?, ?, ?, ?, ?, ?)";
const DELETE: &str = "DELETE FROM relation WHERE parent = ? AND position = ?";
const PENDING: &str =
    "SELECT redaction, broadcast FROM pending_redaction WHERE target = ? ORDER BY redaction";
const INSERT_PENDING: &str =
    "INSERT INTO pending_redaction (target, redaction, broadcast) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
const DELETE_PENDING: &str = "DELETE FROM pending_redaction WHERE target = ?";

/// An event that relates to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRow {
    /// Where the child is in the log.
    pub position: LogPosition,
    /// The child.
    pub child: EventNid,
    /// The kind of relation.
    pub rel_type: String,
    /// The child's type.
    pub event_type: String,
    /// The child's sender.
    pub sender: String,
    /// The key of an annotation.
    pub key: Option<String>,
}

impl RelationRow {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            position: LogPosition(row.get(0)?),
            child: EventNid(row.get(1)?),
            rel_type: row.get(2)?,
            event_type: row.get(3)?,
            sender: row.get(4)?,
            key: row.get(5)?,
        })
    }
}

impl Store {
    /// Up to `limit` children of an event with positions in `(after, up_to]`, last to first.
    pub fn children(
        &self,
        parent: &EventId,
        after: LogPosition,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<RelationRow>, DatabaseError> {
        self.db().query(CHILDREN, params![parent.as_str(), after.0, up_to.0, limit], RelationRow::read)
    }

    /// The redactions that wait for an event, with their `broadcast`.
    pub fn pending_redactions(&self, target: &EventId) -> Result<Vec<(EventNid, bool)>, DatabaseError> {
        self.db().query(PENDING, params![target.as_str()], |row| Ok((EventNid(row.get(0)?), row.get(1)?)))
    }
}

impl Writer<'_> {
    /// Records that the event at `position` relates to another.
    pub fn insert_relation(
        &mut self,
        relation: &Relation<'_>,
        position: LogPosition,
        child: EventNid,
        pdu: &Pdu,
    ) -> Result<(), DatabaseError> {
        self.db().execute(
            INSERT,
            params![
                relation.event_id.as_str(),
                position.0,
                child.0,
                &*relation.rel_type,
                pdu.event_type(),
                pdu.sender().as_str(),
                relation.key.as_deref()
            ],
        )
    }

    /// The event at `position` no longer relates to `parent`.
    pub fn delete_relation(&mut self, parent: &EventId, position: LogPosition) -> Result<(), DatabaseError> {
        self.db().execute(DELETE, params![parent.as_str(), position.0])
    }

    /// Lets a redaction wait for its target.
    pub fn insert_pending_redaction(
        &mut self,
        target: &EventId,
        redaction: EventNid,
        broadcast: bool,
    ) -> Result<(), DatabaseError> {
        self.db().execute(INSERT_PENDING, params![target.as_str(), redaction.0, broadcast])
    }

    /// The target is here.
    pub fn delete_pending_redactions(&mut self, target: &EventId) -> Result<(), DatabaseError> {
        self.db().execute(DELETE_PENDING, params![target.as_str()])
    }
}
