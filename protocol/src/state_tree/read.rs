//! Looking up and walking one version.

use super::{CorruptTree, EventNid, Node, NodeId, NodeStore, StateKeyNid, StateRoot};

/// The part of the key that a node on `level` looks at.
pub(super) fn slot_at(key: StateKeyNid, level: u8) -> u8 {
    let [b0, b1, b2, b3] = key.0.to_le_bytes();
    match level {
        0 => b0,
        1 => b1,
        2 => b2,
        _ => b3,
    }
}

/// The lowest level whose root has room for the key.
pub(super) fn level_for(key: StateKeyNid) -> u8 {
    match key.0 {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xff_ffff => 2,
        _ => 3,
    }
}

/// The child that the node on `level` has in `slot`'s place, checked to be one level lower.
pub(super) fn load_on<S: NodeStore + ?Sized>(store: &S, id: NodeId, level: u8) -> Result<Node, S::Error> {
    let node = store.load(id)?;
    if node.level() == level { Ok(node) } else { Err(CorruptTree::Level(id).into()) }
}

/// The event that the state has for a key.
pub fn get<S: NodeStore + ?Sized>(
    store: &S,
    root: StateRoot,
    key: StateKeyNid,
) -> Result<Option<EventNid>, S::Error> {
    let Some(root) = root.node() else { return Ok(None) };
    let mut node = store.load(root)?;
    if level_for(key) > node.level() {
        return Ok(None);
    }
    loop {
        let level = node.level();
        let Some(value) = node.get(slot_at(key, level)) else { return Ok(None) };
        match level.checked_sub(1) {
            Some(below) => node = load_on(store, NodeId(value), below)?,
            None => return Ok(Some(EventNid(value))),
        }
    }
}

/// All entries of a state, ascending by key, holding one node a level at a time.
pub fn entries<S: NodeStore + ?Sized>(store: &S, root: StateRoot) -> Entries<'_, S> {
    Entries { store, pending: root.node(), path: Vec::new() }
}

/// The iterator that [`entries`] makes. It ends after an error.
pub struct Entries<'a, S: NodeStore + ?Sized> {
    store: &'a S,
    pending: Option<NodeId>,
    path: Vec<Step>,
}

/// A node on the way down, the key's bits above it, and the first slot not yet visited.
struct Step {
    node: Node,
    prefix: u32,
    next: Option<u8>,
}

impl<S: NodeStore + ?Sized> Entries<'_, S> {
    fn advance(&mut self) -> Result<Option<(StateKeyNid, EventNid)>, S::Error> {
        if let Some(root) = self.pending.take() {
            self.path.push(Step { node: self.store.load(root)?, prefix: 0, next: Some(0) });
        }
        while let Some(step) = self.path.last_mut() {
            let Some((slot, value)) = step.next.and_then(|from| step.node.next_slot(from)) else {
                self.path.pop();
                continue;
            };
            step.next = slot.checked_add(1);
            let prefix = (step.prefix << 8) | u32::from(slot);
            let Some(below) = step.node.level().checked_sub(1) else {
                return Ok(Some((StateKeyNid(prefix), EventNid(value))));
            };
            let node = load_on(self.store, NodeId(value), below)?;
            self.path.push(Step { node, prefix, next: Some(0) });
        }
        Ok(None)
    }
}

impl<S: NodeStore + ?Sized> Iterator for Entries<'_, S> {
    type Item = Result<(StateKeyNid, EventNid), S::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.advance();
        if entry.is_err() {
            self.path.clear();
        }
        entry.transpose()
    }
}

/// Calls `visit` with the id of each node of a version, parents first. Where it answers false, the nodes below are
/// left out: a marker that has met a node has met them all.
pub fn visit_nodes<S: NodeStore + ?Sized>(
    store: &S,
    root: StateRoot,
    visit: &mut impl FnMut(NodeId) -> bool,
) -> Result<(), S::Error> {
    let mut stack: Vec<NodeId> = root.node().into_iter().collect();
    while let Some(id) = stack.pop() {
        if !visit(id) {
            continue;
        }
        let node = store.load(id)?;
        if node.level() > 0 {
            stack.extend(node.slots().map(|(_, child)| NodeId(child)));
        }
    }
    Ok(())
}
