//! The ledger: what an operation cost in actor calls, rows read and rows written.
//!
//! Costs are added to the ledger of whatever future is being polled: [`Scoped`] swaps its own in
//! for each poll, so operations that interleave at an await are still told apart.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use serde::{Deserialize, Serialize};

/// Counted work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Calls to Durable Objects.
    pub calls: u64,
    /// SQL rows read.
    pub rows_read: u64,
    /// SQL rows written, those of indexes included.
    pub rows_written: u64,
}

impl Ledger {
    /// Both costs together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            rows_read: self.rows_read.saturating_add(other.rows_read),
            rows_written: self.rows_written.saturating_add(other.rows_written),
        }
    }
}

thread_local! {
    static CURRENT: Cell<Ledger> = const { Cell::new(Ledger { calls: 0, rows_read: 0, rows_written: 0 }) };
}

/// Adds `cost` to the operation under way.
pub fn add(cost: Ledger) {
    CURRENT.set(CURRENT.get().plus(cost));
}

/// Counts rows read.
pub fn read(rows: u64) {
    add(Ledger { rows_read: rows, ..Ledger::default() });
}

/// Counts rows written.
pub fn wrote(rows: u64) {
    add(Ledger { rows_written: rows, ..Ledger::default() });
}

/// Counts one call to an actor.
pub fn called() {
    add(Ledger { calls: 1, ..Ledger::default() });
}

/// Runs `operation` with a ledger of its own, and returns what it cost besides its output.
pub fn scoped<F: Future>(operation: F) -> Scoped<F> {
    Scoped { operation: Box::pin(operation), spent: Ledger::default() }
}

/// The future of [`scoped`].
pub struct Scoped<F> {
    operation: Pin<Box<F>>,
    spent: Ledger,
}

impl<F: Future> Future for Scoped<F> {
    type Output = (F::Output, Ledger);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outer = CURRENT.replace(self.spent);
        let polled = self.operation.as_mut().poll(context);
        self.spent = CURRENT.replace(outer);
        polled.map(|output| (output, self.spent))
    }
}
