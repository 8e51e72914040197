//! A room's events in memory.

use std::{cell::Cell, collections::HashMap, rc::Rc};

use ruma::{EventId, OwnedEventId};
use serde_json::json;

use super::MemoryNodes;
use crate::{
    event::{ParseError, Pdu},
    nid::{EventNid, StateKeyNid},
    state_res::{AuthNode, ResolveStore},
    state_tree::{self, CorruptTree, Node, NodeId, NodeStore, StateRoot},
};

/// What may go wrong in a [`MemoryRoom`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// A broken tree.
    #[error(transparent)]
    Tree(#[from] CorruptTree),
    /// An event that was never added.
    #[error("no event {0:?}")]
    NoEvent(EventNid),
    /// An auth event that was never added.
    #[error("no event {0}")]
    NoEventId(OwnedEventId),
    /// An event that is no state.
    #[error("event {0} has no state key")]
    NoStateKey(OwnedEventId),
}

/// The parts of an event that matter to authorisation and resolution; hashes and signatures are not among them.
#[derive(Clone, Debug)]
pub struct EventDraft<'a> {
    /// The event's id: anything that begins with `$`.
    pub event_id: &'a str,
    /// The room; `None` for the create event of a room whose id is made of this event's.
    pub room_id: Option<&'a str>,
    /// Who sends it.
    pub sender: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// Its state key.
    pub state_key: &'a str,
    /// Its content.
    pub content: serde_json::Value,
    /// Its time, in milliseconds.
    pub origin_server_ts: u64,
    /// Its depth.
    pub depth: u64,
    /// Ids of events before it.
    pub prev_events: &'a [OwnedEventId],
    /// Ids of the events that authorise it.
    pub auth_events: &'a [OwnedEventId],
}

impl EventDraft<'_> {
    /// The event.
    pub fn pdu(&self) -> Result<Pdu, ParseError> {
        let mut json = json!({
            "auth_events": self.auth_events,
            "content": self.content,
            "depth": self.depth,
            "origin_server_ts": self.origin_server_ts,
            "prev_events": self.prev_events,
            "sender": self.sender,
            "state_key": self.state_key,
            "type": self.event_type,
        });
        if let (Some(room_id), Some(json)) = (self.room_id, json.as_object_mut()) {
            json.insert("room_id".to_owned(), room_id.into());
        }
        let event_id =
            OwnedEventId::try_from(self.event_id).map_err(|_| ParseError::Identifier("event_id"))?;
        Pdu::from_stored(event_id, json.to_string())
    }
}

/// One room's state events and state trees, counting what is asked of it.
#[derive(Debug, Default)]
pub struct MemoryRoom {
    nodes: MemoryNodes,
    events: Vec<Stored>,
    nids: HashMap<OwnedEventId, EventNid>,
    keys: HashMap<String, HashMap<String, StateKeyNid>>,
    key_count: u32,
    event_loads: Cell<usize>,
    citer_loads: Cell<usize>,
}

#[derive(Debug)]
struct Stored {
    event: Rc<Pdu>,
    node: AuthNode,
    citers: Vec<EventNid>,
}

impl MemoryRoom {
    /// Adds a state event, all of whose auth events were added before.
    pub fn add(&mut self, event: Pdu, rejected: bool) -> Result<EventNid, MemoryError> {
        let state_key =
            event.state_key().ok_or_else(|| MemoryError::NoStateKey(event.event_id().to_owned()))?;
        let key = self.intern(event.event_type(), state_key);
        let mut auth_events = Vec::with_capacity(event.auth_events().len());
        for id in event.auth_events() {
            auth_events.push(self.nid(id).ok_or_else(|| MemoryError::NoEventId(id.clone()))?);
        }
        let next = u32::try_from(self.events.len()).unwrap_or(u32::MAX).saturating_add(1);
        let nid = EventNid(next);
        let mut generation = 0;
        for cited in &auth_events {
            let cited = self.stored_mut(*cited)?;
            generation = generation.max(cited.node.generation.saturating_add(1));
            cited.citers.push(nid);
        }
        self.nids.insert(event.event_id().to_owned(), nid);
        let node = AuthNode { key, generation, rejected, auth_events: auth_events.into() };
        self.events.push(Stored { event: Rc::new(event), node, citers: Vec::new() });
        Ok(nid)
    }

    /// The state after an event, given the state before it.
    pub fn state_after(&mut self, before: StateRoot, event: EventNid) -> Result<StateRoot, MemoryError> {
        let key = self.auth_node(event)?.key;
        state_tree::apply(self, before, [(key, Some(event))])
    }

    /// The number of an event.
    pub fn nid(&self, event_id: &EventId) -> Option<EventNid> {
        self.nids.get(event_id).copied()
    }

    /// All events, oldest first.
    pub fn events(&self) -> impl Iterator<Item = (EventNid, &Rc<Pdu>, &AuthNode)> {
        (1..).zip(&self.events).map(|(nid, stored)| (EventNid(nid), &stored.event, &stored.node))
    }

    /// The trees' nodes.
    pub fn nodes(&self) -> &MemoryNodes {
        &self.nodes
    }

    /// How many events, and how many pages of citers, were loaded since [`MemoryRoom::reset_loads`].
    pub fn loads(&self) -> (usize, usize) {
        (self.event_loads.get(), self.citer_loads.get())
    }

    /// Counts from 0 again.
    pub fn reset_loads(&self) {
        self.nodes.reset_loads();
        self.event_loads.set(0);
        self.citer_loads.set(0);
    }

    fn intern(&mut self, event_type: &str, state_key: &str) -> StateKeyNid {
        if let Some(key) = self.keys.get(event_type).and_then(|keys| keys.get(state_key)) {
            return *key;
        }
        self.key_count = self.key_count.saturating_add(1);
        let key = StateKeyNid(self.key_count);
        self.keys.entry(event_type.to_owned()).or_default().insert(state_key.to_owned(), key);
        key
    }

    fn stored(&self, nid: EventNid) -> Result<&Stored, MemoryError> {
        let index = nid.0.checked_sub(1).ok_or(MemoryError::NoEvent(nid))?;
        self.events.get(index as usize).ok_or(MemoryError::NoEvent(nid))
    }

    fn stored_mut(&mut self, nid: EventNid) -> Result<&mut Stored, MemoryError> {
        let index = nid.0.checked_sub(1).ok_or(MemoryError::NoEvent(nid))?;
        self.events.get_mut(index as usize).ok_or(MemoryError::NoEvent(nid))
    }
}

impl NodeStore for MemoryRoom {
    type Error = MemoryError;

    fn load(&self, id: NodeId) -> Result<Node, MemoryError> {
        Ok(self.nodes.load(id)?)
    }

    fn insert(&mut self, node: &Node) -> Result<NodeId, MemoryError> {
        Ok(self.nodes.insert(node)?)
    }
}

impl ResolveStore for MemoryRoom {
    fn event(&self, nid: EventNid) -> Result<Rc<Pdu>, MemoryError> {
        self.event_loads.set(self.event_loads.get().saturating_add(1));
        Ok(Rc::clone(&self.stored(nid)?.event))
    }

    fn auth_node(&self, nid: EventNid) -> Result<AuthNode, MemoryError> {
        self.event_loads.set(self.event_loads.get().saturating_add(1));
        Ok(self.stored(nid)?.node.clone())
    }

    fn auth_citers(
        &self,
        cited: EventNid,
        below: Option<EventNid>,
        limit: usize,
    ) -> Result<Vec<EventNid>, MemoryError> {
        self.citer_loads.set(self.citer_loads.get().saturating_add(1));
        let citers = &self.stored(cited)?.citers;
        let end = below.map_or(citers.len(), |below| citers.partition_point(|citer| *citer < below));
        Ok(citers.iter().take(end).rev().take(limit).copied().collect())
    }

    fn state_key(&self, event_type: &str, state_key: &str) -> Result<Option<StateKeyNid>, MemoryError> {
        Ok(self.keys.get(event_type).and_then(|keys| keys.get(state_key)).copied())
    }
}
