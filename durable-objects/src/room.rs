//! The `Room` actor: one room's events, state and log.
//!
//! - [`store`]: all SQL.
//! - [`state`]: the room's state at some root.
//! - [`commit`]: the one way by which events get in.
//! - [`graph`]: walks over events, and what other servers may see.
//! - `wake`: telling followers afterwards.
//! - [`view`]: the room as one user sees it.
//! - `sync`: what is new to a client.

pub mod commit;
pub mod filter;
pub mod graph;
mod inbound;
mod outbound;
pub mod state;
pub mod store;
mod sync;
#[cfg(test)]
mod tests;
pub mod view;
mod wake;

use std::rc::Rc;

use self::{store::Store, sync::SentMembers, wake::Wakes};
use crate::{
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::room::{AdmitsServer, GetRoomVersion, PullForServer, ReceivePdus, SyncRoom},
};

/// The behaviour of a `Room`.
pub struct RoomEngine {
    runtime: Runtime,
    /// What is stored of the room.
    pub store: Store,
    wakes: Wakes,
    sent_members: SentMembers,
}

impl Engine for RoomEngine {
    const MIGRATIONS: &'static [Migration] = &[(1, include_str!("../../schema/room/0001_room.sql"))];

    fn new(runtime: Runtime) -> Self {
        Self {
            store: Store::new(Rc::clone(&runtime.db)),
            runtime,
            wakes: Wakes::default(),
            sent_members: SentMembers::default(),
        }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        self.recover_wakes()?;
        crate::dispatch!(self, op, body, {
            async PullForServer => pull_for_server,
            sync GetRoomVersion => get_room_version,
            sync AdmitsServer => admits_server,
            async ReceivePdus => receive_pdus,
            sync SyncRoom => sync_room,
        })
    }

    async fn alarm(self: Rc<Self>) {
        if let Err(error) = self.recover_wakes() {
            crate::log::error("room", &error.to_string());
        }
    }
}
