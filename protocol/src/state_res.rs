//! State resolution over state trees: versions 1, 2 and 2.1. [rooms v1, v2 and v12, state resolution]
//!
//! Where the room's history forks, the state after the fork is *resolved* from the states of its branches. The rules
//! are the specification's; that the states are [trees](crate::state_tree) and the events have small integers is what
//! makes the cost follow the conflict instead of the room.

//!
//! # Parts
//!
//! [`resolve`] compares the trees, which gives the conflicted keys and leaves the unconflicted state where it is, as
//! something to look things up in (`conflict`). The conflicted keys are decided by version 1 (`v1`) or version 2 and
//! 2.1 (`v2`) of the algorithm. For the latter, `auth_difference` finds what else is disputed, with `reach` to ask
//! what is not; `subgraph`, `power` and `mainline` are the specification's definitions by these names; `checks` is the
//! iterative auth checks. Then the decided keys are written over one of the states as one batch.
//!
//! # Where the specification leaves a choice
//!
//! - An auth chain does not contain the event that it starts from, as the specification defines it.
//! - The auth chain of a power event is followed within the full conflicted set, as all implementations do.
//! - In version 1, a key for which no candidate is allowed is left out.

mod auth_difference;
mod checks;
mod conflict;
mod facts;
mod mainline;
mod power;
mod reach;
mod subgraph;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::rc::Rc;

use ruma::room_version_rules::RoomVersionRules;

use self::{conflict::Conflict, facts::Facts};
use crate::{
    event::Pdu,
    nid::{EventNid, StateKeyNid},
    state_tree::{NodeStore, StateRoot},
};

/// Resolves states of one room into one.
///
/// Equal states count once; of no states the resolution is empty. Where the states do not differ, the result is one of
/// the roots given, and nothing is written; so it is where one of the states wins altogether.
///
/// # Errors
///
/// The store's. Events that break rules are left out and are no error.
pub fn resolve<S: ResolveStore>(
    rules: &RoomVersionRules,
    store: &mut S,
    roots: &[StateRoot],
) -> Result<StateRoot, S::Error> {
    let conflict = Conflict::find(store, roots)?;
    if conflict.is_empty() {
        return Ok(roots.first().copied().unwrap_or(StateRoot::EMPTY));
    }
    let facts = Facts::new(store)?;
    let decided = match rules.state_res.v2_rules() {
        Some(v2_rules) => v2::decide(&facts, &rules.authorization, *v2_rules, &conflict)?,
        None => v1::decide(&facts, &rules.authorization, &conflict)?,
    };
    conflict.write(store, &decided)
}

/// What resolution asks of a room's store, besides the nodes of the state trees.
///
/// Every event that is in one of the states, and every event that one of these reaches by `auth_events`, is stored.
/// That one is not is an error of the store.
pub trait ResolveStore: NodeStore {
    /// The event.
    fn event(&self, nid: EventNid) -> Result<Rc<Pdu>, Self::Error>;

    /// The event's place in the graph of `auth_events`.
    fn auth_node(&self, nid: EventNid) -> Result<AuthNode, Self::Error>;

    /// State events that have `cited` in their `auth_events`: the `limit` newest with a smaller nid than `below`,
    /// descending. An answer shorter than `limit` is the last.
    ///
    /// All stored state events count, rejected or not. The store keeps a row for each pair, except that it may leave
    /// out those that cite the `m.room.create` event: it is never asked for.
    fn auth_citers(
        &self,
        cited: EventNid,
        below: Option<EventNid>,
        limit: usize,
    ) -> Result<Vec<EventNid>, Self::Error>;

    /// The number of a state key; `None` if no event of the room has it.
    fn state_key(&self, event_type: &str, state_key: &str) -> Result<Option<StateKeyNid>, Self::Error>;
}

/// A state event's place in the graph of `auth_events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthNode {
    /// The event's type and state key.
    pub key: StateKeyNid,
    /// 1 more than the largest generation among the event's auth events, 0 without any: a topological number that,
    /// unlike `depth`, no server can make up.
    pub generation: u32,
    /// Whether the event was rejected.
    pub rejected: bool,
    /// The event's `auth_events`.
    pub auth_events: Rc<[EventNid]>,
}
