//! The timeline: the latest events, or those since the client's position.

use std::rc::Rc;

use ruma::{UInt, events::room::member::MembershipState};
use selvedge_protocol::visibility;

use super::{Pull, lets_through};
use crate::{database::DatabaseError, room::store::StoredEvent, rpc::room::LogPosition};

/// How many events an answer has when the filter does not say.
const DEFAULT_LIMIT: usize = 10;
/// How many it has at most.
const MAX_LIMIT: usize = 100;
/// How many entries of the log are looked through for events that pass the filter, at most.
const MAX_SCANNED: usize = 1_000;

/// The events, first to last.
#[derive(Debug)]
pub struct Timeline {
    pub events: Vec<Rc<StoredEvent>>,
    /// Whether there are more between the client's position and the first one.
    pub is_limited: bool,
    /// The position just before the first one.
    pub start: LogPosition,
}

impl Pull<'_> {
    pub fn timeline(&self) -> Result<Timeline, DatabaseError> {
        let store = &self.engine.store;
        let from = self.asked.from.unwrap_or_default().min(self.end);
        let gap = store.gap_in(from, self.end)?;
        let after = gap.map_or(from, |gap| gap.free.max(from));
        let limit = limit(self.asked.timeline.limit);
        let mut timeline = Timeline {
            events: Vec::new(),
            is_limited: gap.is_some() || self.asked.from.is_none() && !self.asked.is_first,
            start: self.end,
        };
        let mut scanned = 0_usize;
        let page_size = u32::try_from(limit.saturating_add(1)).unwrap_or(u32::MAX);
        'pages: loop {
            let page = store.log_backward(after, LogPosition(timeline.start.0), page_size)?;
            if page.is_empty() {
                // All of it is there: what is before belongs to before the client's position.
                timeline.start = after;
                break;
            }
            for entry in &page {
                if scanned >= MAX_SCANNED {
                    timeline.is_limited = true;
                    break 'pages;
                }
                scanned = scanned.saturating_add(1);
                if let Some(event) = store.event_of(entry)?
                    && self.belongs(&event)?
                {
                    if timeline.events.len() >= limit {
                        timeline.is_limited = true;
                        break 'pages;
                    }
                    timeline.events.push(event);
                }
                timeline.start = LogPosition(entry.position.0.saturating_sub(1));
            }
        }
        timeline.events.reverse();
        Ok(timeline)
    }

    /// Whether an event belongs in the client's timeline.
    fn belongs(&self, event: &StoredEvent) -> Result<bool, DatabaseError> {
        if !lets_through(&self.asked.timeline, &event.pdu) {
            return Ok(false);
        }
        // Whoever declines an invitation, or is put out before they joined, hears of that.
        let user_id = &self.asked.reader.user_id;
        let is_own_leave = event.position == Some(self.end)
            && event.pdu.is_state("m.room.member", user_id.as_str())
            && visibility::membership(Some(&event.pdu)) != MembershipState::Join;
        Ok(is_own_leave || self.view.shows(event)?)
    }
}

/// How many events a filter asks for, within bounds.
fn limit(asked: Option<UInt>) -> usize {
    asked
        .map_or(DEFAULT_LIMIT, |limit| usize::try_from(u64::from(limit)).unwrap_or(usize::MAX))
        .min(MAX_LIMIT)
}
