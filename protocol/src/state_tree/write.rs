//! Making a new version out of an old one.

use super::read::{level_for, load_on, slot_at};
use super::{EventNid, Node, NodeId, NodeStore, StateKeyNid, StateRoot};

/// Sets (`Some`) and removes (`None`) entries, and returns the version that results.
///
/// For a key that occurs more than once the last change counts. Each node on the way to a change is read and written
/// once; where nothing changes the old nodes, and in the end the old root, are kept.
pub fn apply<S: NodeStore + ?Sized>(
    store: &mut S,
    root: StateRoot,
    changes: impl IntoIterator<Item = (StateKeyNid, Option<EventNid>)>,
) -> Result<StateRoot, S::Error> {
    apply_all(store, root, changes.into_iter().collect())
}

fn apply_all<S: NodeStore + ?Sized>(
    store: &mut S,
    root: StateRoot,
    mut sorted: Vec<Change>,
) -> Result<StateRoot, S::Error> {
    // Stable: of equal keys the last stays last.
    sorted.sort_by_key(|(key, _)| *key);
    let last_wins = sorted.iter().zip(sorted.iter().skip(1).map(Some).chain([None]));
    let changes: Vec<Change> = last_wins
        .filter(|(change, next)| next.is_none_or(|next| next.0 != change.0))
        .map(|(change, _)| *change)
        .collect();

    let old = match root.node() {
        Some(id) => Some(Subtree { id, level: store.load(id)?.level() }),
        None => None,
    };
    let old_level = old.map_or(0, |old| old.level);
    let needed = changes.iter().filter(|(_, event)| event.is_some()).map(|(key, _)| level_for(*key)).max();
    let level = old_level.max(needed.unwrap_or(0));
    // A key that a tree of this height has no room for is not in it, and needs no removal.
    let fitting = changes.partition_point(|(key, _)| level_for(*key) <= level);
    let new = apply_below(store, old, level, changes.get(..fitting).unwrap_or_default())?;
    Ok(new.into())
}

type Change = (StateKeyNid, Option<EventNid>);

/// A node whose level is known.
#[derive(Clone, Copy)]
struct Subtree {
    id: NodeId,
    level: u8,
}

/// The slots of `old` as seen from `level`: a tree that grows has its old root in the lowest slot of each new level.
fn slots_from<S: NodeStore + ?Sized>(store: &S, old: Subtree, level: u8) -> Result<Vec<(u8, u32)>, S::Error> {
    if old.level < level {
        return Ok(vec![(0, old.id.0)]);
    }
    Ok(load_on(store, old.id, level)?.slots().collect())
}

/// The child to keep below `level`: of a tree that grows by more than one level at once, the old root is lifted to the
/// level that its new parent expects.
fn raise<S: NodeStore + ?Sized>(
    store: &mut S,
    old: Option<Subtree>,
    child: u32,
    level: u8,
) -> Result<u32, S::Error> {
    let mut id = child;
    for between in old.map_or(level, |old| old.level.saturating_add(1))..level {
        if let Some(node) = Node::new(between, &[(0, id)]) {
            id = store.insert(&node)?.0;
        }
    }
    Ok(id)
}

/// The node on `level` that has `old`'s entries with `changes` made; `None` if none are left.
fn apply_below<S: NodeStore + ?Sized>(
    store: &mut S,
    old: Option<Subtree>,
    level: u8,
    changes: &[Change],
) -> Result<Option<NodeId>, S::Error> {
    let old_slots = match old {
        Some(old) => slots_from(store, old, level)?,
        None => Vec::new(),
    };
    let mut new_slots = Vec::with_capacity(old_slots.len().saturating_add(changes.len()).min(256));
    let mut kept = old_slots.iter().copied().peekable();
    for group in changes.chunk_by(|a, b| slot_at(a.0, level) == slot_at(b.0, level)) {
        let Some((key, event)) = group.last() else { continue };
        let slot = slot_at(*key, level);
        while let Some(before) = kept.next_if(|(kept, _)| *kept < slot) {
            new_slots.push((before.0, raise(store, old, before.1, level)?));
        }
        let replaced = kept.next_if(|(kept, _)| *kept == slot).map(|(_, value)| value);
        let value = match level.checked_sub(1) {
            None => event.map(|event| event.0),
            Some(below) => {
                let child_level = old.map_or(below, |old| old.level.min(below));
                let child = replaced.map(|id| Subtree { id: NodeId(id), level: child_level });
                apply_below(store, child, below, group)?.map(|child| child.0)
            }
        };
        new_slots.extend(value.map(|value| (slot, value)));
    }
    for after in kept {
        new_slots.push((after.0, raise(store, old, after.1, level)?));
    }
    match old {
        Some(old) if old.level == level && old_slots == new_slots => Ok(Some(old.id)),
        _ => Node::new(level, &new_slots).map(|node| store.insert(&node)).transpose(),
    }
}
