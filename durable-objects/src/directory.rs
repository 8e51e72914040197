//! The `Directory` actor: what the server has one of. Nothing on the path of a message may wait
//! for it: what it holds is read once per isolate and cached.

mod signing_key;

use std::rc::Rc;

use crate::{
    dispatch,
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::directory::GetSigningKeys,
};

/// The behaviour of the `Directory`.
pub struct DirectoryEngine {
    runtime: Runtime,
}

impl Engine for DirectoryEngine {
    const MIGRATIONS: &'static [Migration] =
        &[(1, include_str!("../../schema/directory/0001_signing_key.sql"))];

    fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        dispatch!(self, op, body, {
            sync GetSigningKeys => get_signing_keys,
        })
    }

    async fn alarm(self: Rc<Self>) {}
}
