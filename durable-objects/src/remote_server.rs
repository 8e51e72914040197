//! The `RemoteServer` actor.

use std::rc::Rc;

use crate::{
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
};

/// The behaviour of a `RemoteServer`.
pub struct RemoteServerEngine {
    runtime: Runtime,
}

impl Engine for RemoteServerEngine {
    const MIGRATIONS: &'static [Migration] = &[];

    fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        crate::dispatch!(self, op, body, {})
    }

    async fn alarm(self: Rc<Self>) {}
}
