//! Relations and redactions.

use ruma::{EventId, UserId};
use selvedge_protocol::{event::Pdu, nid::EventNid, relations::Relation};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

const HAS_CHILDREN: &str = "SELECT 1 FROM relation WHERE parent = ? LIMIT 1";
/// The kinds of a parent's relations, each found by one step in the index.
const KINDS: &str = "WITH RECURSIVE kind (name) AS ( \
     SELECT min(rel_type) FROM relation WHERE parent = ?1 UNION ALL \
     SELECT (SELECT min(rel_type) FROM relation WHERE parent = ?1 AND rel_type > kind.name) FROM kind \
     WHERE kind.name IS NOT NULL) SELECT name FROM kind WHERE name IS NOT NULL LIMIT ?2";
const CHILDREN_BACKWARD: &str = "SELECT position, child, rel_type, event_type, sender, key FROM relation \
     WHERE parent = ? AND rel_type = ? AND position > ? AND position <= ? ORDER BY position DESC LIMIT ?";
const CHILDREN_FORWARD: &str = "SELECT position, child, rel_type, event_type, sender, key FROM relation \
     WHERE parent = ? AND rel_type = ? AND position > ? AND position <= ? ORDER BY position LIMIT ?";
const LAST: &str = "SELECT position, count FROM relation WHERE parent = ? AND rel_type = ? \
     ORDER BY position DESC LIMIT 1";
const SET_COUNT: &str = "UPDATE relation SET count = ? WHERE parent = ? AND rel_type = ? AND position = ?";
const INSERT: &str = "INSERT INTO relation (parent, rel_type, position, child, event_type, sender, key, count) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const DELETE: &str = "DELETE FROM relation WHERE parent = ? AND rel_type = ? AND position = ?";
const HAS_WRITTEN: &str = "SELECT 1 FROM relation WHERE parent = ? AND rel_type = ? AND sender = ? LIMIT 1";
const SAME_ANNOTATION: &str = "SELECT 1 FROM relation WHERE parent = ? AND rel_type = 'm.annotation' \
     AND sender = ? AND event_type = ? AND key = ? LIMIT 1";
const IS_PARTICIPANT: &str = "SELECT 1 FROM thread_participant WHERE root = ? AND user_id = ?";
const ADD_PARTICIPANT: &str =
    "INSERT INTO thread_participant (root, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
const REMOVE_PARTICIPANT: &str = "DELETE FROM thread_participant WHERE root = ? AND user_id = ?";
const PENDING: &str = "SELECT redaction FROM pending_redaction WHERE target = ? ORDER BY redaction";
const INSERT_PENDING: &str =
    "INSERT INTO pending_redaction (target, redaction, broadcast) VALUES (?, ?, 0) ON CONFLICT DO NOTHING";
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

/// Which children of an event.
#[derive(Debug, Clone, Copy)]
pub struct Children<'a> {
    /// The event.
    pub parent: &'a EventId,
    /// The kind of relation.
    pub rel_type: &'a str,
    /// After this position.
    pub after: LogPosition,
    /// Up to this one.
    pub up_to: LogPosition,
    /// Whether the first come first, not the last.
    pub is_forward: bool,
    /// How many at most.
    pub limit: u32,
}

impl Store {
    /// Whether anything relates to an event.
    pub fn has_children(&self, parent: &EventId) -> Result<bool, DatabaseError> {
        Ok(self.db().query_first(HAS_CHILDREN, params![parent.as_str()], |_| Ok(()))?.is_some())
    }

    /// The kinds of relations to an event, at most `limit`.
    pub fn relation_kinds(&self, parent: &EventId, limit: u32) -> Result<Vec<String>, DatabaseError> {
        self.db().query(KINDS, params![parent.as_str(), limit], |row| row.get(0))
    }

    /// Children of an event, of one kind.
    pub fn children(&self, children: &Children<'_>) -> Result<Vec<RelationRow>, DatabaseError> {
        let Children { parent, rel_type, after, up_to, is_forward, limit } = *children;
        let sql = if is_forward { CHILDREN_FORWARD } else { CHILDREN_BACKWARD };
        self.db().query(sql, params![parent.as_str(), rel_type, after.0, up_to.0, limit], RelationRow::read)
    }

    /// How many events a thread has besides its root.
    pub fn thread_length(&self, root: &EventId) -> Result<u64, DatabaseError> {
        Ok(self.last_of_thread(root)?.and_then(|(_, count)| count).unwrap_or(0))
    }

    /// Whether a user of this server has written in a thread.
    pub fn has_written_in(&self, root: &EventId, user_id: &UserId) -> Result<bool, DatabaseError> {
        let params = params![root.as_str(), user_id.as_str()];
        Ok(self.db().query_first(IS_PARTICIPANT, params, |_| Ok(()))?.is_some())
    }

    /// Whether a user has annotated an event with this key already, by an event of this type.
    pub fn has_annotated(
        &self,
        parent: &EventId,
        sender: &UserId,
        event_type: &str,
        key: &str,
    ) -> Result<bool, DatabaseError> {
        let params = params![parent.as_str(), sender.as_str(), event_type, key];
        Ok(self.db().query_first(SAME_ANNOTATION, params, |_| Ok(()))?.is_some())
    }

    fn last_of_thread(&self, root: &EventId) -> Result<Option<(LogPosition, Option<u64>)>, DatabaseError> {
        self.db().query_first(LAST, params![root.as_str(), Relation::THREAD], |row| {
            Ok((LogPosition(row.get(0)?), row.get(1)?))
        })
    }

    /// The redactions that wait for an event.
    pub fn pending_redactions(&self, target: &EventId) -> Result<Vec<EventNid>, DatabaseError> {
        self.db().query(PENDING, params![target.as_str()], |row| row.get(0).map(EventNid))
    }
}

impl Writer<'_> {
    /// Records that the event at `position` relates to another. `is_local`: a user of this server sent it.
    pub fn insert_relation(
        &mut self,
        relation: &Relation<'_>,
        position: LogPosition,
        child: EventNid,
        pdu: &Pdu,
        is_local: bool,
    ) -> Result<(), DatabaseError> {
        let is_threaded = relation.rel_type == Relation::THREAD;
        let count = if is_threaded { self.lengthen_thread(&relation.event_id, position)? } else { None };
        self.db().execute(
            INSERT,
            params![
                relation.event_id.as_str(),
                &*relation.rel_type,
                position.0,
                child.0,
                pdu.event_type(),
                pdu.sender().as_str(),
                relation.key.as_deref(),
                count
            ],
        )?;
        if is_threaded && is_local && !self.has_written_in(&relation.event_id, pdu.sender())? {
            let params = params![relation.event_id.as_str(), pdu.sender().as_str()];
            self.db().execute(ADD_PARTICIPANT, params)?;
        }
        Ok(())
    }

    /// Counts one more event of a thread; what the new row at `position` has to hold.
    fn lengthen_thread(
        &mut self,
        root: &EventId,
        position: LogPosition,
    ) -> Result<Option<u64>, DatabaseError> {
        let Some((last, count)) = self.last_of_thread(root)? else { return Ok(Some(1)) };
        let count = count.unwrap_or(0).saturating_add(1);
        if last < position {
            return Ok(Some(count));
        }
        self.set_thread_length(root, last, count)?;
        Ok(None)
    }

    fn set_thread_length(
        &mut self,
        root: &EventId,
        last: LogPosition,
        count: u64,
    ) -> Result<(), DatabaseError> {
        self.db().execute(SET_COUNT, params![count, root.as_str(), Relation::THREAD, last.0])
    }

    /// The event at `position`, of `sender`, no longer relates to another.
    pub fn delete_relation(
        &mut self,
        relation: &Relation<'_>,
        position: LogPosition,
        sender: &UserId,
    ) -> Result<(), DatabaseError> {
        let root = &*relation.event_id;
        let is_threaded = relation.rel_type == Relation::THREAD;
        let length = if is_threaded { self.thread_length(root)? } else { 0 };
        self.db().execute(DELETE, params![root.as_str(), &*relation.rel_type, position.0])?;
        if !is_threaded {
            return Ok(());
        }
        if let Some((last, _)) = self.last_of_thread(root)? {
            self.set_thread_length(root, last, length.saturating_sub(1))?;
        }
        let params = params![root.as_str(), Relation::THREAD, sender.as_str()];
        if self.db().query_first(HAS_WRITTEN, params, |_| Ok(()))?.is_none() {
            self.db().execute(REMOVE_PARTICIPANT, params![root.as_str(), sender.as_str()])?;
        }
        Ok(())
    }

    /// Lets a redaction wait for its target.
    pub fn insert_pending_redaction(
        &mut self,
        target: &EventId,
        redaction: EventNid,
    ) -> Result<(), DatabaseError> {
        self.db().execute(INSERT_PENDING, params![target.as_str(), redaction.0])
    }

    /// The target is here.
    pub fn delete_pending_redactions(&mut self, target: &EventId) -> Result<(), DatabaseError> {
        self.db().execute(DELETE_PENDING, params![target.as_str()])
    }
}
