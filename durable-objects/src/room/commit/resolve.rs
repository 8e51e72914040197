//! State resolution over the room's store.

use std::rc::Rc;

use selvedge_protocol::{
    event::Pdu,
    nid::{EventNid, StateKeyNid},
    state_res::{self, AuthNode, ResolveStore},
    state_tree::StateRoot,
};

use super::Session;
use crate::{
    database::DatabaseError,
    room::store::{Standing, Writer},
};

impl Session<'_, '_> {
    /// The state that those at `roots` resolve to.
    pub(super) fn resolve(&mut self, roots: &[StateRoot]) -> Result<StateRoot, DatabaseError> {
        match roots {
            [] => Ok(StateRoot::EMPTY),
            [root, others @ ..] if others.iter().all(|other| other == root) => Ok(*root),
            _ => state_res::resolve(&self.rules, self.writer, roots),
        }
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
