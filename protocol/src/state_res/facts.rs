//! What one resolution has learned from the store, so that it asks once.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use super::{AuthNode, ResolveStore};
use crate::{
    event::Pdu,
    nid::{EventNid, StateKeyNid},
};

/// The store, with the events and nodes that were asked for.
pub(super) struct Facts<'a, S: ResolveStore> {
    /// Where the facts come from.
    pub store: &'a S,
    /// The key of the `m.room.create` event.
    pub create_key: Option<StateKeyNid>,
    /// The key of the `m.room.power_levels` event.
    pub power_levels_key: Option<StateKeyNid>,
    events: RefCell<HashMap<EventNid, Rc<Pdu>>>,
    nodes: RefCell<HashMap<EventNid, AuthNode>>,
}

impl<'a, S: ResolveStore> Facts<'a, S> {
    pub fn new(store: &'a S) -> Result<Self, S::Error> {
        Ok(Self {
            store,
            create_key: store.state_key("m.room.create", "")?,
            power_levels_key: store.state_key("m.room.power_levels", "")?,
            events: RefCell::default(),
            nodes: RefCell::default(),
        })
    }

    pub fn event(&self, nid: EventNid) -> Result<Rc<Pdu>, S::Error> {
        if let Some(event) = self.events.borrow().get(&nid) {
            return Ok(Rc::clone(event));
        }
        let event = self.store.event(nid)?;
        self.events.borrow_mut().insert(nid, Rc::clone(&event));
        Ok(event)
    }

    pub fn node(&self, nid: EventNid) -> Result<AuthNode, S::Error> {
        if let Some(node) = self.nodes.borrow().get(&nid) {
            return Ok(node.clone());
        }
        let node = self.store.auth_node(nid)?;
        self.nodes.borrow_mut().insert(nid, node.clone());
        Ok(node)
    }

    /// The event for `key` among the auth events of an event.
    pub fn auth_event_with_key(
        &self,
        node: &AuthNode,
        key: StateKeyNid,
    ) -> Result<Option<(EventNid, AuthNode)>, S::Error> {
        for auth_event in node.auth_events.iter() {
            let auth_node = self.node(*auth_event)?;
            if auth_node.key == key {
                return Ok(Some((*auth_event, auth_node)));
            }
        }
        Ok(None)
    }

    /// The power levels event among the auth events of an event.
    pub fn power_levels_of(&self, node: &AuthNode) -> Result<Option<(EventNid, AuthNode)>, S::Error> {
        match self.power_levels_key {
            Some(key) => self.auth_event_with_key(node, key),
            None => Ok(None),
        }
    }
}
