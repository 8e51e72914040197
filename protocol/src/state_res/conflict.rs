//! What the states to resolve agree on and what not, from the differences of their trees alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    nid::{EventNid, StateKeyNid},
    state_tree::{self, NodeStore, StateRoot},
};

/// The *unconflicted state map* and the *conflicted state set* of some states.
///
/// Only the conflicted keys are held; the unconflicted ones are whatever else the first state's tree has.
#[derive(Debug)]
pub(super) struct Conflict {
    /// The states, each once.
    roots: Vec<StateRoot>,
    /// For each key on which the states differ, ascending, the event that each of them has, in order of `roots`.
    keys: Vec<(StateKeyNid, Vec<Option<EventNid>>)>,
}

impl Conflict {
    /// Compares the states.
    pub fn find<S: NodeStore>(store: &S, roots: &[StateRoot]) -> Result<Self, S::Error> {
        let mut roots = roots.to_vec();
        roots.sort_unstable();
        roots.dedup();
        let mut keys = Vec::new();
        state_tree::diff_all(store, &roots, &mut |key, events| {
            keys.push((key, events.to_vec()));
            Ok(())
        })?;
        Ok(Self { roots, keys })
    }

    /// How many distinct roots there are.
    pub fn sides(&self) -> usize {
        self.roots.len()
    }

    /// Whether the states are all the same.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The conflicted keys, with the event that each state has.
    pub fn keys(&self) -> impl Iterator<Item = (StateKeyNid, &[Option<EventNid>])> {
        self.keys.iter().map(|(key, events)| (*key, events.as_slice()))
    }

    /// The *conflicted state set*.
    pub fn events(&self) -> BTreeSet<EventNid> {
        self.keys.iter().flat_map(|(_, events)| events).flatten().copied().collect()
    }

    /// Whether the states differ on this key.
    pub fn has_key(&self, key: StateKeyNid) -> bool {
        self.keys.binary_search_by_key(&key, |(key, _)| *key).is_ok()
    }

    /// The event that the *unconflicted state map* has for a key.
    pub fn unconflicted<S: NodeStore>(
        &self,
        store: &S,
        key: StateKeyNid,
    ) -> Result<Option<EventNid>, S::Error> {
        match self.roots.first() {
            Some(root) if !self.has_key(key) => state_tree::get(store, *root, key),
            _ => Ok(None),
        }
    }

    /// Writes the state that has the unconflicted events and, besides them, exactly those in `decided`.
    ///
    /// Starts from the state that needs the fewest changes, so that a resolution in which one side wins writes nothing.
    pub fn write<S: NodeStore>(
        &self,
        store: &mut S,
        decided: &BTreeMap<StateKeyNid, EventNid>,
    ) -> Result<StateRoot, S::Error> {
        let Some((base, root)) = self.roots.iter().enumerate().min_by_key(|(side, _)| {
            self.keys().filter(|(key, events)| winner(events, *side) != decided.get(key)).count()
        }) else {
            return Ok(StateRoot::EMPTY);
        };
        let mut changes = Vec::new();
        for (key, events) in self.keys() {
            if winner(events, base) != decided.get(&key) {
                changes.push((key, decided.get(&key).copied()));
            }
        }
        // What is decided for other keys fills gaps: the unconflicted events come last, and stay.
        for (key, event) in decided {
            if !self.has_key(*key) && self.unconflicted(store, *key)?.is_none() {
                changes.push((*key, Some(*event)));
            }
        }
        state_tree::apply(store, *root, changes)
    }
}

/// The event that the state on `side` has for a key.
fn winner(events: &[Option<EventNid>], side: usize) -> Option<&EventNid> {
    events.get(side).and_then(Option::as_ref)
}
