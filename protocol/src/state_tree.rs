//! Room state as a persistent tree: a map from [`StateKeyNid`] to [`EventNid`] whose versions share what they have in
//! common.
//!
//! # Shape
//!
//! A radix tree over the key's bytes, most significant first: fan-out 256, a [`Node`] is one row in the store. Leaves
//! (level 0) map the key's last byte to an event, inner nodes map a byte to a child. A root knows its own level, so a
//! room of up to 256 keys has one node, one of up to 65,536 keys two levels, one of up to 16 million keys three, and a
//! tree grows a level only when a key needs it.
//!
//! # Cost
//!
//! Nodes are never changed: [`apply`] writes new ones along the path of what changed, each touched node once however
//! many of its entries change, and shares the others. A state event in a room of 100,000 keys writes three nodes of
//! at most about 800 bytes; a message writes none; setting an entry to the value it has writes none.
//! Two versions are compared by [`diff`] in proportion to the nodes in which they differ, for nodes with equal ids
//! are equal.
//!
//! # Garbage
//!
//! A node lives as long as some root that a caller kept leads to it. Roots of events whose state will never be asked
//! for again leave nodes behind that nothing else shares, and [`Builder`] leaves about three nodes behind for every
//! [`Builder::BATCH`] entries. Both are harmless. A store that wants the space back marks from its live
//! roots with [`visit_nodes`] and deletes the rest; nothing here deletes.

mod build;
mod diff;
mod node;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use build::Builder;
pub use diff::{Difference, diff, diff_all};
pub use node::{CorruptTree, Node};
pub use read::{Entries, entries, get, visit_nodes};
pub use write::apply;

pub use crate::nid::{EventNid, StateKeyNid};

/// A node of the trees, by the integer that the store gave it. Never 0, which stands for the empty tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// One version of a room's state.
///
/// Equal roots are equal states. The reverse does not hold: the same state reached by different ways may have been
/// written twice; [`diff`] finds no difference then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateRoot(pub u32);

impl StateRoot {
    /// The state before a room's first event.
    pub const EMPTY: Self = Self(0);

    /// The root's node; `None` for the empty state.
    pub fn node(self) -> Option<NodeId> {
        (self != Self::EMPTY).then_some(NodeId(self.0))
    }
}

impl From<Option<NodeId>> for StateRoot {
    fn from(node: Option<NodeId>) -> Self {
        node.map_or(Self::EMPTY, |NodeId(id)| Self(id))
    }
}

/// Where the nodes of a room's state trees are kept.
///
/// A store is free to cache nodes, since they never change, and to give a node that it already holds its old id again.
pub trait NodeStore {
    /// What may go wrong: the storage's own errors, and a tree that contradicts itself.
    type Error: From<CorruptTree>;

    /// The node with this id, as given to [`NodeStore::insert`].
    fn load(&self, id: NodeId) -> Result<Node, Self::Error>;

    /// Stores a node and returns its id, which is not 0.
    fn insert(&mut self, node: &Node) -> Result<NodeId, Self::Error>;
}
