//! What is remembered of the room's policy server; there is nothing of it in the database but the state.

use std::rc::Rc;

use selvedge_protocol::{policy_server::PolicyServer, state_tree::StateRoot};

use super::Store;
use crate::database::DatabaseError;

/// The policy server that a state names, and the root of that state.
pub(super) type Remembered = Option<(StateRoot, Option<Rc<PolicyServer>>)>;

impl Store {
    /// What `find` finds in the state at `root`, looked for once as long as that is the root that is asked for.
    pub fn policy_at(
        &self,
        root: StateRoot,
        find: impl FnOnce() -> Result<Option<PolicyServer>, DatabaseError>,
    ) -> Result<Option<Rc<PolicyServer>>, DatabaseError> {
        if let Some((known, policy)) = &*self.inner.policy.borrow()
            && *known == root
        {
            return Ok(policy.clone());
        }
        let policy = find()?.map(Rc::new);
        *self.inner.policy.borrow_mut() = Some((root, policy.clone()));
        Ok(policy)
    }
}
