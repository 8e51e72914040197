//! What is not stored, in an order of its own: which rooms someone began or ceased to type in.
//!
//! Positions begin at the time at which the actor started, so that they grow across restarts, when all is forgotten.

use std::cell::{Cell, RefCell};

use crate::{rpc::sync_token::SyncToken, sorted::SortedMap};

/// See the module's documentation.
pub struct Volatile {
    start: u64,
    last: Cell<u64>,
    rooms: RefCell<SortedMap<u32, u64>>,
}

impl Volatile {
    /// Empty, at the time `now` in milliseconds.
    pub fn new(now: u64) -> Self {
        Self { start: now, last: Cell::new(now), rooms: RefCell::default() }
    }

    /// The last position given out.
    pub fn position(&self) -> u64 {
        self.last.get()
    }

    /// Notes that something changed in a room.
    pub fn stir(&self, room: u32, now: u64) {
        let position = self.advance(now);
        self.rooms.borrow_mut().insert(room, position);
    }

    /// Takes the next position.
    pub fn advance(&self, now: u64) -> u64 {
        let position = self.last.get().saturating_add(1).max(now);
        self.last.set(position);
        position
    }

    /// Up to where a client with this token knows what is in memory here: from nowhere, when the token is from before
    /// the actor started.
    pub fn since(&self, token: &SyncToken) -> u64 {
        let is_known = (self.start..=self.last.get()).contains(&token.volatile);
        if is_known { token.volatile } else { 0 }
    }

    /// The rooms in which something may have changed since `token`. When the actor has forgotten since then, those
    /// are among them in which the client saw someone type: they may have ceased.
    pub fn stirred_since(&self, token: &SyncToken) -> Vec<u32> {
        let is_known = (self.start..=self.last.get()).contains(&token.volatile);
        let from = if is_known { token.volatile } else { 0 };
        let rooms = self.rooms.borrow();
        let mut stirred: Vec<u32> =
            rooms.iter().filter(|(_, at)| **at > from).map(|(room, _)| *room).collect();
        if !is_known {
            stirred.extend(&token.typing);
        }
        stirred
    }
}
