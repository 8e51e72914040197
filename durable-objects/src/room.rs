//! The `Room` actor: one room's events, state and log.
//!
//! - [`store`]: all SQL.
//! - [`state`]: the room's state at some root.
//! - [`commit`]: the one way by which events get in.

pub mod commit;
pub mod state;
pub mod store;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use self::store::Store;
use crate::{
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
};

/// The behaviour of a `Room`.
pub struct RoomEngine {
    runtime: Runtime,
    /// What is stored of the room.
    pub store: Store,
}

impl Engine for RoomEngine {
    const MIGRATIONS: &'static [Migration] = &[(1, include_str!("../../schema/room/0001_room.sql"))];

    fn new(runtime: Runtime) -> Self {
        Self { store: Store::new(Rc::clone(&runtime.db)), runtime }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        crate::dispatch!(self, op, body, {})
    }

    async fn alarm(self: Rc<Self>) {}
}
