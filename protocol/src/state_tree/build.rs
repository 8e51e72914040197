//! Building the state of a room that is imported.

use super::{EventNid, NodeStore, StateKeyNid, StateRoot, apply};

/// Builds a version from entries in any order, in bounded memory: one batch of entries at a time.
///
/// Best fed in the order in which keys were interned, so that a batch fills whole leaves.
#[derive(Debug)]
pub struct Builder {
    root: StateRoot,
    batch: Vec<(StateKeyNid, Option<EventNid>)>,
}

impl Builder {
    /// How many entries are held before they are written: 64 KiB or so.
    pub const BATCH: usize = 8192;

    /// Starts from an existing version; from [`StateRoot::EMPTY`] for a new room.
    pub fn new(root: StateRoot) -> Self {
        Self { root, batch: Vec::new() }
    }

    /// Adds an entry; a later one for the same key replaces it.
    pub fn push<S: NodeStore + ?Sized>(
        &mut self,
        store: &mut S,
        key: StateKeyNid,
        event: EventNid,
    ) -> Result<(), S::Error> {
        self.batch.push((key, Some(event)));
        if self.batch.len() >= Self::BATCH { self.flush(store) } else { Ok(()) }
    }

    /// Writes what is left and returns the version.
    pub fn finish<S: NodeStore + ?Sized>(mut self, store: &mut S) -> Result<StateRoot, S::Error> {
        self.flush(store)?;
        Ok(self.root)
    }

    fn flush<S: NodeStore + ?Sized>(&mut self, store: &mut S) -> Result<(), S::Error> {
        self.root = apply(store, self.root, self.batch.drain(..))?;
        Ok(())
    }
}
