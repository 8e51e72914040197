//! Answers that are held in memory until they are whole. Each has a bound of its own, and all that arrive at the same
//! time have one together: all actors of an isolate share its memory.

use std::cell::Cell;

use crate::platform::FetchError;

/// How many bytes all answers that arrive at the same time may have. They may take twice that while they grow.
const MAX_TOGETHER: usize = 24 << 20;
/// How many bytes of an answer arrive whatever the others have: those of almost all.
const ALWAYS: usize = 256 << 10;

thread_local! {
    static TOGETHER: Cell<usize> = const { Cell::new(0) };
}

/// The body of an answer, as far as it has arrived.
pub(super) struct Held {
    body: Vec<u8>,
    max_bytes: usize,
}

impl Held {
    /// Nothing yet, of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self { body: Vec::new(), max_bytes }
    }

    /// Adds what arrived.
    ///
    /// # Errors
    ///
    /// When this answer, or all together, have become too large.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        let size = self.body.len().saturating_add(chunk.len());
        let together = TOGETHER.get().saturating_add(chunk.len());
        if size > self.max_bytes || (size > ALWAYS && together > MAX_TOGETHER) {
            return Err(FetchError::TooLarge);
        }
        TOGETHER.set(together);
        self.body.extend_from_slice(chunk);
        Ok(())
    }

    /// The whole body.
    pub fn take(mut self) -> Vec<u8> {
        self.release();
        std::mem::take(&mut self.body)
    }

    fn release(&self) {
        TOGETHER.set(TOGETHER.get().saturating_sub(self.body.len()));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}
