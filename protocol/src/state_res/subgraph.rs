//! The *conflicted state subgraph*. [rooms v12, state resolution, definitions]

use std::collections::{BTreeMap, BTreeSet};

use super::{ResolveStore, facts::Facts};
use crate::nid::EventNid;

/// Every event on a path of `auth_events` between two of the conflicted events, and the ends of such paths.
///
/// Walks the chains of the conflicted events back to the oldest conflicted generation, below which no path can end,
/// and keeps of what it saw, oldest first, what leads to a conflicted event.
pub(super) fn conflicted_subgraph<S: ResolveStore>(
    facts: &Facts<'_, S>,
    conflicted: &BTreeSet<EventNid>,
) -> Result<BTreeSet<EventNid>, S::Error> {
    let mut oldest = u32::MAX;
    for event in conflicted {
        oldest = oldest.min(facts.node(*event)?.generation);
    }
    let mut seen = BTreeMap::new();
    let mut stack: Vec<EventNid> = conflicted.iter().copied().collect();
    while let Some(event) = stack.pop() {
        let node = facts.node(event)?;
        if node.generation >= oldest && !seen.contains_key(&(node.generation, event)) {
            stack.extend(node.auth_events.iter().copied());
            seen.insert((node.generation, event), node.auth_events);
        }
    }
    let mut leading = BTreeSet::new();
    for ((_, event), auth_events) in seen {
        if conflicted.contains(&event) || auth_events.iter().any(|auth_event| leading.contains(auth_event)) {
            leading.insert(event);
        }
    }
    Ok(leading)
}
