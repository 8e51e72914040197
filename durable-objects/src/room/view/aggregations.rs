//! What others have made of an event: its edit, its thread, its references `[C-S §8.6.4]`.

use std::rc::Rc;

use selvedge_protocol::relations::{self, Relation};

use super::{Form, View};
use crate::{
    database::DatabaseError,
    room::store::{Children, StoredEvent},
    rpc::room::LogPosition,
};
use selvedge_protocol::json::ObjectWriter;

/// How many edits of an event are looked at for the most recent.
const MAX_EDITS: u32 = 50;
/// How many references are listed.
const MAX_REFERENCES: u32 = 100;
/// How many events from the end of a thread are looked at for one that the user may see.
const MAX_LATEST: u32 = 20;
/// How many events of a thread are looked at for those of ignored users.
const MAX_IGNORED: u32 = 1_000;

/// Which aggregations go with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bundle {
    /// All.
    All,
    /// Not threads: for an event that is itself part of an aggregation.
    Outer,
    /// None: for an event within that.
    Nothing,
}

impl View<'_> {
    /// The `m.relations` of an event, if there is anything to aggregate.
    pub(super) fn aggregations(
        &self,
        event: &StoredEvent,
        form: Form,
        bundle: Bundle,
    ) -> Result<Option<String>, DatabaseError> {
        let id = event.pdu.event_id();
        if bundle == Bundle::Nothing || event.pdu.state_key().is_some() || !self.store.has_children(id)? {
            return Ok(None);
        }
        let mut json = ObjectWriter::new();
        if let Some(references) = self.references(event)? {
            json.member(Relation::REFERENCE, &references);
        }
        if event.redacted_by.is_none()
            && let Some(edit) = self.latest_edit(event)?
        {
            json.member(Relation::REPLACE, &self.render_with(&edit, form, Bundle::Nothing)?);
        }
        if bundle == Bundle::All
            && let Some(thread) = self.thread(event, form)?
        {
            json.member(Relation::THREAD, &thread);
        }
        Ok((!json.is_empty()).then(|| json.finish()))
    }

    /// The last children of a kind that count and that the user may see, last first.
    fn bundled(
        &self,
        parent: &StoredEvent,
        rel_type: &str,
        limit: u32,
    ) -> Result<impl Iterator<Item = Result<Rc<StoredEvent>, DatabaseError>>, DatabaseError> {
        let children = self.store.children(&Children {
            parent: parent.pdu.event_id(),
            rel_type,
            after: LogPosition(0),
            up_to: LogPosition::MAX,
            is_forward: false,
            limit,
        })?;
        Ok(children.into_iter().filter_map(|row| {
            let child = match self.store.event(row.child) {
                Ok(child) => child,
                Err(error) => return Some(Err(error)),
            };
            if !relations::is_bundled(&parent.pdu, &child.pdu) {
                return None;
            }
            match self.shows(&child) {
                Ok(true) => Some(Ok(child)),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            }
        }))
    }

    fn latest_edit(&self, event: &StoredEvent) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let mut latest: Option<Rc<StoredEvent>> = None;
        for edit in self.bundled(event, Relation::REPLACE, MAX_EDITS)? {
            let edit = edit?;
            let is_newer = latest.as_ref().is_none_or(|latest| {
                std::ptr::eq(relations::newer_replacement(&edit.pdu, &latest.pdu), &raw const *edit.pdu)
            });
            if is_newer {
                latest = Some(edit);
            }
        }
        Ok(latest)
    }

    fn references(&self, event: &StoredEvent) -> Result<Option<String>, DatabaseError> {
        let mut chunk = Vec::new();
        for child in self.bundled(event, Relation::REFERENCE, MAX_REFERENCES)? {
            let mut reference = ObjectWriter::new();
            reference.string("event_id", child?.pdu.event_id().as_str());
            chunk.push(reference.finish());
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        chunk.reverse();
        let mut json = ObjectWriter::new();
        json.array("chunk", chunk);
        Ok(Some(json.finish()))
    }

    fn thread(&self, root: &StoredEvent, form: Form) -> Result<Option<String>, DatabaseError> {
        let latest = self.bundled(root, Relation::THREAD, MAX_LATEST)?.next().transpose()?;
        let Some(latest) = latest else { return Ok(None) };
        let id = root.pdu.event_id();
        let count = self.store.thread_length(id)?.saturating_sub(self.ignored_in_thread(root)?);
        let mut json = ObjectWriter::new();
        json.member("count", &count.max(1).to_string());
        json.member("current_user_participated", &self.participates_in(root)?.to_string());
        json.member("latest_event", &self.render_with(&latest, form, Bundle::Outer)?);
        Ok(Some(json.finish()))
    }

    /// Whether the user has written the root of a thread, or in it.
    pub(in crate::room) fn participates_in(&self, root: &StoredEvent) -> Result<bool, DatabaseError> {
        Ok(root.pdu.sender() == self.reader.user_id
            || self.store.has_written_in(root.pdu.event_id(), &self.reader.user_id)?)
    }

    fn ignored_in_thread(&self, root: &StoredEvent) -> Result<u64, DatabaseError> {
        if self.reader.ignored_users.is_empty() {
            return Ok(0);
        }
        let children = self.store.children(&Children {
            parent: root.pdu.event_id(),
            rel_type: Relation::THREAD,
            after: LogPosition(0),
            up_to: LogPosition::MAX,
            is_forward: false,
            limit: MAX_IGNORED,
        })?;
        let is_ignored = |sender: &str| self.reader.ignored_users.iter().any(|user| *user == *sender);
        let ignored = children.iter().filter(|child| is_ignored(&child.sender)).count();
        Ok(u64::try_from(ignored).unwrap_or(u64::MAX))
    }
}
