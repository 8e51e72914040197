//! The `Room` actor.

use std::rc::Rc;

use crate::{
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
};

/// The behaviour of a `Room`.
pub struct RoomEngine {
    runtime: Runtime,
}

impl Engine for RoomEngine {
    const MIGRATIONS: &'static [Migration] = &[];

    fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        crate::dispatch!(self, op, body, {})
    }

    async fn alarm(self: Rc<Self>) {}
}
