//! The nodes of the state trees.

use selvedge_protocol::state_tree::{CorruptTree, Node, NodeId, NodeStore};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
};

const LOAD: &str = "SELECT body FROM state_node WHERE id = ?";
const INSERT: &str = "INSERT INTO state_node (body) VALUES (?) RETURNING id";

impl From<CorruptTree> for DatabaseError {
    fn from(error: CorruptTree) -> Self {
        Self::corrupt(error.to_string())
    }
}

impl Store {
    fn load_node(&self, id: NodeId) -> Result<Node, DatabaseError> {
        if let Some(node) = self.inner.nodes.borrow().get(&id.0) {
            return Ok(node);
        }
        let body: Vec<u8> = self
            .db()
            .query_first(LOAD, params![id.0], |row| row.get(0))?
            .ok_or_else(|| DatabaseError::corrupt("no such state node"))?;
        let node = Node::parse(body)?;
        self.remember_node(id, &node);
        Ok(node)
    }

    fn remember_node(&self, id: NodeId, node: &Node) {
        self.inner.nodes.borrow_mut().put(id.0, node.clone(), node.as_bytes().len());
    }
}

/// For reading only: a store that is not in a transaction refuses to write.
impl NodeStore for Store {
    type Error = DatabaseError;

    fn load(&self, id: NodeId) -> Result<Node, DatabaseError> {
        self.load_node(id)
    }

    fn insert(&mut self, _node: &Node) -> Result<NodeId, DatabaseError> {
        Err(DatabaseError::sql("a state node was written outside a transaction"))
    }
}

impl NodeStore for Writer<'_> {
    type Error = DatabaseError;

    fn load(&self, id: NodeId) -> Result<Node, DatabaseError> {
        self.load_node(id)
    }

    fn insert(&mut self, node: &Node) -> Result<NodeId, DatabaseError> {
        let id = self
            .db()
            .query_first(INSERT, params![node.as_bytes()], |row| row.get(0))?
            .map(NodeId)
            .ok_or_else(|| DatabaseError::corrupt("an insert returned nothing"))?;
        self.inner.nodes_written.set(self.inner.nodes_written.get().saturating_add(1));
        self.remember_node(id, node);
        Ok(id)
    }
}
