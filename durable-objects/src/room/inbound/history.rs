//! History of the time before this server took part in the room `[S-S §9, backfill]`.

use std::collections::BTreeSet;

use ruma::{OwnedEventId, UInt, api::federation::backfill::get_backfill::v1 as get_backfill};
use selvedge_protocol::event::VerifiedPdu;

use super::{
    gather::{Gather, GatherError},
    missing::oldest_first,
};
use crate::{
    room::commit::{HistoryEvent, Received},
    sorted::SortedMap,
};

/// How many bytes an answer may have.
const MAX_BYTES: usize = 8 << 20;
/// How often auth events are fetched for one page of history.
const MAX_ATTEMPTS: usize = 3;

impl Gather<'_> {
    /// Asks for about `limit` events that lead to `from`, and takes them in. How many came.
    pub async fn backfill(&self, from: Vec<OwnedEventId>, limit: u32) -> Result<usize, GatherError> {
        let request = get_backfill::Request::new(self.room_id()?, from, UInt::from(limit));
        let answer = self.ask(request, MAX_BYTES).await?;
        let events = self.verify(&answer.pdus).await?;
        let mut unplaced = SortedMap::new();
        for event in events {
            if self.is_unplaced(event.event_id())? {
                unplaced.insert(event.event_id().to_owned(), event);
            }
        }
        let events = self.with_states(oldest_first(unplaced)).await?;
        self.take_in(events).await
    }

    /// Fetches the state before those events whose previous events are neither among them nor in the room.
    async fn with_states(&self, events: Vec<VerifiedPdu>) -> Result<Vec<HistoryEvent>, GatherError> {
        let ids: BTreeSet<OwnedEventId> = events.iter().map(|event| event.event_id().to_owned()).collect();
        let mut history = Vec::with_capacity(events.len());
        for event in events {
            let mut missing = Vec::new();
            for prev in event.prev_events() {
                if !ids.contains(prev) && self.is_unplaced(prev)? {
                    missing.push(prev.clone());
                }
            }
            let told =
                if missing.is_empty() { None } else { Some(self.state_before(&event, &missing).await?) };
            history.push(HistoryEvent { pdu: event, told });
        }
        Ok(history)
    }

    async fn take_in(&self, events: Vec<HistoryEvent>) -> Result<usize, GatherError> {
        let local = self.engine.runtime.platform.config().server_name.clone();
        let mut count = 0_usize;
        for _ in 0..MAX_ATTEMPTS {
            let (outcomes, effects) = self.engine.receive_history(&local, &events)?;
            self.engine.wake(effects);
            let mut lacking = BTreeSet::new();
            for outcome in outcomes {
                match outcome {
                    Received::Missing { auth, .. } => lacking.extend(auth),
                    Received::Accepted(_) | Received::Rejected(_) => count = count.saturating_add(1),
                    Received::Known | Received::SoftFailed(_) | Received::Unconnected => {}
                }
            }
            if lacking.is_empty() {
                break;
            }
            self.fetch_outliers(lacking.into_iter().collect()).await?;
        }
        Ok(count)
    }
}
