//! A page of the timeline: the events between two positions that a user may see and wants.

use std::rc::Rc;

use ruma::api::Direction;

use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        filter::lets_through,
        store::{Children, LogEntry, RelationRow, StoredEvent},
        view::View,
    },
    rpc::room::{LogPosition, TimelineFilter},
};

/// How many entries of the log are looked at for one page.
const MAX_SCANNED: u32 = 2_000;
/// How many entries are read at a time.
const BATCH: u32 = 100;
/// How many children of an event are looked at for `related_by_senders` and `related_by_rel_types`.
const MAX_CHILDREN: u32 = 1_000;
/// How many kinds of relations are looked at.
const MAX_KINDS: u32 = 20;

/// Where to look, and how far.
#[derive(Debug, Clone, Copy)]
pub(in crate::room::client) struct Stretch {
    /// Just after this position; for backwards, at this position and before.
    pub from: LogPosition,
    /// Where to stop at the latest: the same, seen from the other side.
    pub to: Option<LogPosition>,
    /// Which way.
    pub direction: Direction,
    /// How many events at most.
    pub limit: u32,
}

/// What was found.
pub(in crate::room::client) struct Page {
    /// The events, in the order of the direction.
    pub events: Vec<Rc<StoredEvent>>,
    /// Where the next page begins.
    pub end: LogPosition,
    /// Whether the stretch goes on after the page.
    pub has_more: bool,
}

impl RoomEngine {
    /// Reads one page.
    pub(in crate::room::client) async fn page(
        self: &Rc<Self>,
        view: &View<'_>,
        filter: &TimelineFilter,
        stretch: &Stretch,
    ) -> Result<Page, MatrixError> {
        if stretch.direction == Direction::Backward {
            self.fill_gap_before(stretch).await?;
        }
        Ok(self.page_at_hand(view, filter, stretch)?)
    }

    /// The same, of what is here.
    pub(in crate::room::client) fn page_at_hand(
        &self,
        view: &View<'_>,
        filter: &TimelineFilter,
        stretch: &Stretch,
    ) -> Result<Page, DatabaseError> {
        let mut page = Page { events: Vec::new(), end: stretch.from, has_more: true };
        let mut scanned = 0_u32;
        while page.events.len() < stretch.limit as usize && scanned < MAX_SCANNED {
            let wanted = stretch.limit.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
            let batch = self.batch(stretch, page.end, wanted.clamp(10, BATCH))?;
            if batch.is_empty() {
                page.has_more = false;
                break;
            }
            scanned = scanned.saturating_add(BATCH);
            for entry in batch {
                page.end = match stretch.direction {
                    Direction::Forward => entry.position,
                    Direction::Backward => LogPosition(entry.position.0.saturating_sub(1)),
                };
                let Some(event) = self.store.event_of(&entry)? else { continue };
                if self.is_wanted(filter, &event)? && view.shows(&event)? {
                    page.events.push(event);
                    if page.events.len() >= stretch.limit as usize {
                        break;
                    }
                }
            }
        }
        Ok(page)
    }

    fn batch(
        &self,
        stretch: &Stretch,
        reached: LogPosition,
        size: u32,
    ) -> Result<Vec<LogEntry>, DatabaseError> {
        match stretch.direction {
            Direction::Forward => {
                let end = self.store.meta()?.last_position;
                self.store.log_forward(reached, stretch.to.unwrap_or(end), size)
            }
            Direction::Backward => self.store.log_backward(stretch.to.unwrap_or_default(), reached, size),
        }
    }

    /// Whether a filter lets an event through.
    pub(in crate::room::client) fn is_wanted(
        &self,
        filter: &TimelineFilter,
        event: &StoredEvent,
    ) -> Result<bool, DatabaseError> {
        if !lets_through(&filter.event, &event.pdu) {
            return Ok(false);
        }
        if filter.related_by_senders.is_empty() && filter.related_by_rel_types.is_empty() {
            return Ok(true);
        }
        let parent = event.pdu.event_id();
        let kinds = match filter.related_by_rel_types.as_slice() {
            [] => self.store.relation_kinds(parent, MAX_KINDS)?,
            kinds => kinds.to_vec(),
        };
        for rel_type in kinds {
            let children = self.store.children(&Children {
                parent,
                rel_type: &rel_type,
                after: LogPosition(0),
                up_to: LogPosition::MAX,
                is_forward: false,
                limit: MAX_CHILDREN,
            })?;
            let by_sender = |child: &RelationRow| {
                filter.related_by_senders.is_empty()
                    || filter.related_by_senders.iter().any(|sender| *sender == child.sender)
            };
            if children.iter().any(by_sender) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fetches history that is not here, where the stretch runs into a place where some is missing.
    async fn fill_gap_before(self: &Rc<Self>, stretch: &Stretch) -> Result<(), MatrixError> {
        // A page may end in a gap, where the next one begins.
        let up_to = LogPosition(stretch.from.0.saturating_add(1));
        let gap = self.store.gap_in(stretch.to.unwrap_or_default(), up_to)?;
        let Some(gap) = gap else { return Ok(()) };
        let enough = self.store.log_backward(gap.free, stretch.from, stretch.limit)?;
        if enough.len() < stretch.limit as usize {
            self.backfill(gap, stretch.limit).await?;
        }
        Ok(())
    }
}
