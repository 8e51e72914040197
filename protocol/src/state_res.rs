//! State resolution over state trees: versions 1, 2 and 2.1. [rooms v1, v2 and v12, state resolution]
//!
//! Where the room's history forks, the state after the fork is *resolved* from the states of its branches. The rules
//! are the specification's; that the states are [trees](crate::state_tree) and the events have small integers is what
//! makes the cost follow the conflict instead of the room.

use std::rc::Rc;

use crate::{
    event::Pdu,
    nid::{EventNid, StateKeyNid},
    state_tree::NodeStore,
};

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
