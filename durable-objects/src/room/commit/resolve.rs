//! State resolution over the room's store.

use std::{collections::HashSet, rc::Rc};

use selvedge_protocol::{
    event::Pdu,
    nid::{EventNid, StateKeyNid},
    state_res::{self, AuthNode, ResolveStore},
    state_tree::{self, Difference, StateRoot},
};

use super::Session;
use crate::{
    database::DatabaseError,
    room::store::{Standing, Writer},
};

/// In how much two states differ that are brought to a level.
const MANY: usize = 500;

impl Session<'_, '_> {
    /// The state that those at `roots` resolve to.
    pub(super) fn resolve(&mut self, roots: &[StateRoot]) -> Result<StateRoot, DatabaseError> {
        // A state counts once, however many ends of the history have it.
        let mut seen = HashSet::new();
        let roots: Vec<_> = roots.iter().copied().filter(|root| seen.insert(*root)).collect();
        match &*roots {
            [] => Ok(StateRoot::EMPTY),
            [root] => Ok(*root),
            _ if self.meta.is_partial => {
                let level = self.level(&roots)?;
                state_res::resolve(&self.rules, self.writer, &level)
            }
            _ => state_res::resolve(&self.rules, self.writer, &roots),
        }
    }

    /// While the room's state lacks members, one of two states may have all of a large room's members, and the other none
    /// of them. What only one of them has is then taken into the other, rather than argued about event by event: what
    /// comes of it is decided anew when the state is whole.
    fn level(&mut self, roots: &[StateRoot]) -> Result<Vec<StateRoot>, DatabaseError> {
        let mut level = roots.to_vec();
        // Twice, so that what a later one has comes into the earlier ones too.
        for index in (1..level.len()).chain(1..level.len()) {
            let Some([left, right]) = level.get_mut(index.saturating_sub(1)..=index) else { continue };
            let differences = state_tree::diff(&*self.writer, *left, *right)?;
            if differences.len() <= MANY {
                continue;
            }
            let only_left = |of: &&Difference| of.right.is_none();
            let only_right = |of: &&Difference| of.left.is_none();
            let to_left: Vec<_> =
                differences.iter().filter(only_right).map(|of| (of.key, of.right)).collect();
            let to_right: Vec<_> = differences.iter().filter(only_left).map(|of| (of.key, of.left)).collect();
            *left = state_tree::apply(self.writer, *left, to_left)?;
            *right = state_tree::apply(self.writer, *right, to_right)?;
        }
        Ok(level)
    }
}

impl ResolveStore for Writer<'_> {
    fn event(&self, nid: EventNid) -> Result<Rc<Pdu>, DatabaseError> {
        Ok(Rc::clone(&self.stored().event(nid)?.pdu))
    }

    fn auth_node(&self, nid: EventNid) -> Result<AuthNode, DatabaseError> {
        let row = self.event_row(nid)?;
        Ok(AuthNode {
            key: row.key.ok_or_else(|| DatabaseError::corrupt("an event of the state has no state key"))?,
            generation: row.generation,
            rejected: row.standing == Standing::Rejected,
            auth_events: row.auth_events,
        })
    }

    fn auth_citers(
        &self,
        cited: EventNid,
        below: Option<EventNid>,
        limit: usize,
    ) -> Result<Vec<EventNid>, DatabaseError> {
        self.citers(cited, below, limit)
    }

    fn state_key(&self, event_type: &str, state_key: &str) -> Result<Option<StateKeyNid>, DatabaseError> {
        self.key(event_type, state_key)
    }
}
