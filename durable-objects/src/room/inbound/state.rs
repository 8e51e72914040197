//! The state before an event whose previous events cannot be had, as another server tells it
//! `[S-S §9, state_ids]`.

use std::collections::BTreeSet;

use ruma::{
    EventId, OwnedEventId,
    api::federation::event::{
        get_room_state::v1 as get_room_state, get_room_state_ids::v1 as get_room_state_ids,
    },
};
use selvedge_protocol::{event::VerifiedPdu, state_tree::StateRoot};

use super::gather::{Gather, GatherError};
use crate::room::commit::ToldState;

/// How many bytes an answer with state may have: it is held in memory, twice while it is read.
const MAX_STATE_BYTES: usize = 16 << 20;
/// How many events are fetched one by one before the whole state is asked for.
const MAX_SINGLE: usize = 150;
/// How many events a state may have that is asked for whole; of a larger one, what is unknown is fetched one by one.
const MAX_WHOLE: usize = 10_000;
/// How many events are verified and stored at a time.
const BATCH: usize = 500;

impl Gather<'_> {
    /// The state before `event`, of whose previous events these are missing.
    ///
    /// A single one is asked about itself: the state before it, and itself. Of several, only the origin
    /// knows what their states resolve to.
    pub(super) async fn state_before(
        &self,
        event: &VerifiedPdu,
        missing: &[OwnedEventId],
    ) -> Result<ToldState, GatherError> {
        let (at, prev) = match missing {
            [prev] => (prev.clone(), Some(prev.clone())),
            _ => (event.event_id().to_owned(), None),
        };
        let request = get_room_state_ids::Request::new(at.clone(), self.room_id()?);
        let answer = self.ask(request, MAX_STATE_BYTES).await?;
        let mut unknown = BTreeSet::new();
        for id in answer.pdu_ids.iter().chain(&answer.auth_chain_ids).chain(prev.as_ref()) {
            if self.is_unknown(id)? {
                unknown.insert(id.clone());
            }
        }
        let size = answer.pdu_ids.len().saturating_add(answer.auth_chain_ids.len());
        if unknown.len() > MAX_SINGLE && size <= MAX_WHOLE {
            self.fetch_state(&at).await?;
            unknown = BTreeSet::from_iter(prev.clone());
        }
        self.fetch_outliers(unknown.into_iter().collect()).await?;
        let mut state = answer.pdu_ids;
        // After those before it, so that it stands in the place of what it replaces.
        let is_before = prev.is_none();
        state.extend(prev);
        let root = self.root_of_known(state)?;
        Ok(if is_before { ToldState::Before(root) } else { ToldState::AfterMissing(root) })
    }

    /// The root of those of the events that could be had. Those that lack auth events could not be
    /// checked: the room goes on without them.
    fn root_of_known(&self, mut ids: Vec<OwnedEventId>) -> Result<StateRoot, GatherError> {
        let local = self.engine.runtime.platform.config().server_name.clone();
        for _ in 0..2 {
            match self.engine.root_of(&local, &ids)? {
                Ok(root) => return Ok(root),
                Err(missing) => {
                    crate::log::warn(
                        "inbound",
                        &format!("{} events of a state cannot be had", missing.len()),
                    );
                    let missing: BTreeSet<_> = missing.into_iter().collect();
                    ids.retain(|id| !missing.contains(id));
                }
            }
        }
        Err(GatherError::Unavailable("The state before it cannot be had".to_owned()))
    }

    async fn fetch_state(&self, at: &EventId) -> Result<(), GatherError> {
        let request = get_room_state::Request::new(at.to_owned(), self.room_id()?);
        let answer = self.ask(request, MAX_STATE_BYTES).await?;
        let mut waiting: Vec<VerifiedPdu> = Vec::new();
        for batch in answer.auth_chain.chunks(BATCH).chain(answer.pdus.chunks(BATCH)) {
            waiting.extend(self.verify_uncounted(batch).await?);
        }
        self.store_outliers(&waiting)?;
        Ok(())
    }
}
