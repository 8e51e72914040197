//! State trees in memory.

use std::cell::Cell;

use crate::state_tree::{CorruptTree, Node, NodeId, NodeStore};

/// A [`NodeStore`] that counts what is asked of it.
#[derive(Debug, Default)]
pub struct MemoryNodes {
    nodes: Vec<Node>,
    loads: Cell<usize>,
}

impl MemoryNodes {
    /// How many nodes there are: how many were ever written.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes that were written after the first `count`.
    pub fn since(&self, count: usize) -> impl Iterator<Item = &Node> {
        self.nodes.iter().skip(count)
    }

    /// How many nodes were loaded since the last [`MemoryNodes::reset_loads`].
    pub fn loads(&self) -> usize {
        self.loads.get()
    }

    /// Counts from 0 again.
    pub fn reset_loads(&self) {
        self.loads.set(0);
    }
}

impl NodeStore for MemoryNodes {
    type Error = CorruptTree;

    fn load(&self, id: NodeId) -> Result<Node, CorruptTree> {
        self.loads.set(self.loads.get().saturating_add(1));
        let index = id.0.checked_sub(1).ok_or(CorruptTree::Bytes)?;
        self.nodes.get(index as usize).cloned().ok_or(CorruptTree::Bytes)
    }

    fn insert(&mut self, node: &Node) -> Result<NodeId, CorruptTree> {
        self.nodes.push(node.clone());
        u32::try_from(self.nodes.len()).map(NodeId).map_err(|_| CorruptTree::Bytes)
    }
}
