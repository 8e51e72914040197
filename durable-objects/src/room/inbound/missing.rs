//! The events between the room and a new one `[S-S §9, get_missing_events]`.

use ruma::{OwnedEventId, UInt, api::federation::event::get_missing_events::v1 as get_missing_events};
use selvedge_protocol::event::VerifiedPdu;

use super::gather::{Gather, GatherError};
use crate::sorted::SortedMap;

/// How many events are asked for at a time; more, other servers do not give.
const PAGE: u32 = 20;
/// How many bytes an answer may have.
const MAX_BYTES: usize = 4 << 20;
/// How often it is asked for more.
const MAX_ROUNDS: usize = 10;

impl Gather<'_> {
    /// The events that lead from the room's extremities to `event`, oldest first. Where the gap is too
    /// wide, the later ones.
    ///
    /// # Errors
    ///
    /// When the answer holds what is not an event: then the gap cannot be closed, and state that is said
    /// to be on its other side would hide that.
    pub(super) async fn missing_events(&self, event: &VerifiedPdu) -> Result<Vec<VerifiedPdu>, GatherError> {
        let mut found: SortedMap<OwnedEventId, VerifiedPdu> = SortedMap::new();
        let mut latest = vec![event.event_id().to_owned()];
        // What was before this server came is history, and must not come in as if it were new.
        let horizon = self.engine.store.meta()?.horizon;
        for _ in 0..MAX_ROUNDS {
            let mut request = get_missing_events::Request::new(self.room_id()?, self.extremities()?, latest);
            request.limit = UInt::from(PAGE);
            request.min_depth = UInt::try_from(horizon).unwrap_or(UInt::MAX);
            let answer = match self.ask(request, MAX_BYTES).await {
                Ok(answer) => answer,
                Err(GatherError::Unavailable(reason)) => {
                    crate::log::warn("inbound", &format!("no missing events: {reason}"));
                    break;
                }
                Err(error) => return Err(error),
            };
            let is_full = answer.events.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
            let events = self.verify(&answer.events).await?;
            if events.len() < answer.events.len() {
                let reason = "Events before it are not what they claim to be";
                return Err(GatherError::Unavailable(reason.to_owned()));
            }
            let before = found.len();
            for event in events {
                if event.depth() >= horizon && self.is_unplaced(event.event_id())? {
                    found.insert(event.event_id().to_owned(), event);
                }
            }
            latest = self.unconnected(&found)?;
            if latest.is_empty() || found.len() == before || !is_full {
                break;
            }
        }
        found.remove(event.event_id());
        Ok(oldest_first(found))
    }

    fn extremities(&self) -> Result<Vec<OwnedEventId>, GatherError> {
        let meta = self.engine.store.meta()?;
        let ids = meta.extremities.iter().map(|nid| self.engine.store.event_id(*nid));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Whether an event is not in the room, or only as an outlier.
    pub(super) fn is_unplaced(&self, id: &ruma::EventId) -> Result<bool, GatherError> {
        Ok(self.engine.store.find_event(id)?.is_none_or(|event| event.is_outlier()))
    }

    /// Those of the events that come after something that is neither among them nor in the room.
    fn unconnected(
        &self,
        found: &SortedMap<OwnedEventId, VerifiedPdu>,
    ) -> Result<Vec<OwnedEventId>, GatherError> {
        let mut ids = Vec::new();
        for (id, event) in found.iter() {
            for prev in event.prev_events() {
                if found.get(prev).is_none() && self.is_unplaced(prev)? {
                    ids.push(id.clone());
                    break;
                }
            }
        }
        Ok(ids)
    }
}

/// Orders events such that each comes after those of its previous events that are among them. Events
/// that lead to each other in a circle, which no honest hash allows, are in whatever order.
pub(super) fn oldest_first(mut events: SortedMap<OwnedEventId, VerifiedPdu>) -> Vec<VerifiedPdu> {
    let mut by_depth: Vec<_> =
        events.iter().map(|(_, event)| (event.depth(), event.event_id().to_owned())).collect();
    by_depth.sort_unstable();
    let mut order = Vec::with_capacity(events.len());
    for (_, start) in by_depth {
        // (event, whether those before it have been taken)
        let mut stack = vec![(start, false)];
        let mut open = std::collections::BTreeSet::new();
        while let Some((id, is_ready)) = stack.pop() {
            if is_ready {
                order.extend(events.remove(&id));
            } else if let Some(event) = events.get(&id)
                && open.insert(id.clone())
            {
                stack.push((id, true));
                stack.extend(event.prev_events().iter().map(|prev| (prev.clone(), false)));
            }
        }
    }
    order
}
