//! The ledger: what an operation cost in actor calls, rows read and rows written.
//!
//! Costs are added to the ledger of whatever future is being polled: [`Scoped`] swaps its own in
//! for each poll, so operations that interleave at an await are still told apart.
//!
//! Besides, what actors did in this isolate is added up by command ([`record`]), for `/metrics`.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use serde::{Deserialize, Serialize};

use crate::{platform::ActorKind, sorted::SortedMap};

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

/// What many operations of one kind cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many there were.
    pub count: u64,
    /// What they cost.
    pub cost: Ledger,
}

impl Totals {
    /// Adds one operation.
    pub fn add(&mut self, cost: Ledger) {
        self.count = self.count.saturating_add(1);
        self.cost = self.cost.plus(cost);
    }
}

/// Totals by actor and command.
pub type ByCommand = SortedMap<ActorKind, SortedMap<String, Totals>>;

thread_local! {
    static BY_COMMAND: RefCell<ByCommand> = const { RefCell::new(SortedMap::new()) };
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

/// Adds one finished command of an actor to the totals of this isolate. What the actor did afterwards, in the
/// background, is recorded by itself.
pub fn record(actor: ActorKind, command: &str, cost: Ledger) {
    BY_COMMAND.with_borrow_mut(|totals| {
        let commands = totals.or_default(actor);
        match commands.get_mut(command) {
            Some(totals) => totals.add(cost),
            None => commands.or_default(command.to_owned()).add(cost),
        }
    });
}

/// Reads the totals of this isolate.
pub fn with_totals<T>(read: impl FnOnce(&ByCommand) -> T) -> T {
    BY_COMMAND.with_borrow(read)
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
