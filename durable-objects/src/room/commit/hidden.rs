//! History behind events that are not in the log.
//!
//! What failed softly, was rejected, or waits for its target has no place in the log at which paging
//! back could stop for the previous events that it misses. They belong before the first event in the
//! log that follows it: other servers may show them.

use std::collections::BTreeSet;

use ruma::OwnedEventId;
use selvedge_protocol::nid::EventNid;

use super::Session;
use crate::{database::DatabaseError, room::store::Gap, rpc::room::LogPosition};

/// How many hidden events are looked at behind one that is shown.
const PATIENCE: usize = 1_000;

/// A previous event that is not here, and that only an event names which is not in the log.
#[derive(Debug)]
pub(super) struct HiddenMissing {
    pub event_id: OwnedEventId,
    pub child: EventNid,
}

impl Session<'_, '_> {
    /// What is missing behind those of `prevs` that are not in the log, and has no gap to go to.
    pub(super) fn missing_behind(&self, prevs: &[EventNid]) -> Result<Vec<HiddenMissing>, DatabaseError> {
        let mut missing = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack = prevs.to_vec();
        while let Some(child) = stack.pop() {
            if !seen.insert(child) || seen.len() > PATIENCE {
                continue;
            }
            let event = self.writer.event(child)?;
            if event.position.is_some() || event.is_outlier() {
                continue;
            }
            for id in event.pdu.prev_events() {
                let waiting = self.writer.missing_prev(id)?;
                if waiting.iter().any(|missing| missing.child == child && missing.gap.is_none()) {
                    missing.push(HiddenMissing { event_id: id.clone(), child });
                } else {
                    stack.extend(self.writer.find_nid(id)?);
                }
            }
        }
        Ok(missing)
    }

    /// Leaves room in front of an event at a position that was taken [`GAP`](super::GAP) after the last;
    /// the gap's id.
    pub(super) fn open_gap(&mut self, position: LogPosition) -> Result<u64, DatabaseError> {
        let free = LogPosition(position.0.saturating_sub(1));
        self.writer.set_gap(Gap { id: position.0, free })?;
        Ok(position.0)
    }

    /// From now on these are missing from a gap.
    pub(super) fn lead_to(
        &mut self,
        missing: &[HiddenMissing],
        gap: Option<u64>,
    ) -> Result<(), DatabaseError> {
        for HiddenMissing { event_id, child } in missing {
            self.writer.insert_missing(event_id, *child, gap)?;
        }
        Ok(())
    }
}
