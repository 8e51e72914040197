//! Comparing versions.

use super::node::Table;
use super::read::load_on;
use super::{EventNid, NodeId, NodeStore, StateKeyNid, StateRoot};

/// A key for which two versions have different events, or only one has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: StateKeyNid,
    /// The event in the first version.
    pub left: Option<EventNid>,
    /// The event in the second version.
    pub right: Option<EventNid>,
}

/// The differences between two versions, ascending by key. Reads only nodes that are not in both.
pub fn diff<S: NodeStore + ?Sized>(
    store: &S,
    left: StateRoot,
    right: StateRoot,
) -> Result<Vec<Difference>, S::Error> {
    let mut differences = Vec::new();
    diff_all(store, &[left, right], &mut |key, events| {
        if let [left, right] = events {
            differences.push(Difference { key, left: *left, right: *right });
        }
        Ok(())
    })?;
    Ok(differences)
}

/// Takes a key with the event that each version has for it.
type Visit<'v, E> = dyn FnMut(StateKeyNid, &[Option<EventNid>]) -> Result<(), E> + 'v;

/// Calls `visit`, ascending by key, for each key on which not all versions agree, with the event that each has.
/// Reads only nodes that are not in all of them, and keeps at most one node a version and level in memory.
pub fn diff_all<S: NodeStore + ?Sized>(
    store: &S,
    roots: &[StateRoot],
    visit: &mut Visit<'_, S::Error>,
) -> Result<(), S::Error> {
    let mut sides = Vec::with_capacity(roots.len());
    for root in roots {
        sides.push(match root.node() {
            Some(id) => Some(Subtree { id, level: store.load(id)?.level() }),
            None => None,
        });
    }
    let level = sides.iter().flatten().map(|side| side.level).max().unwrap_or(0);
    diff_below(store, &sides, level, 0, visit)
}

/// A node whose level is known.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Subtree {
    id: NodeId,
    level: u8,
}

/// What one version has at a place of the tree.
enum Side {
    Nothing,
    /// The root of a tree that does not reach up to here: in the lowest slot of the level below.
    Lower(Subtree),
    Here(Box<Table>),
}

impl Side {
    fn load<S: NodeStore + ?Sized>(store: &S, side: Option<Subtree>, level: u8) -> Result<Self, S::Error> {
        Ok(match side {
            None => Self::Nothing,
            Some(subtree) if subtree.level < level => Self::Lower(subtree),
            Some(subtree) => Self::Here(Box::new(load_on(store, subtree.id, level)?.to_table())),
        })
    }

    /// What the version has below `slot`.
    fn child(&self, slot: u8, below: u8) -> Option<Subtree> {
        match self {
            Self::Nothing => None,
            Self::Lower(subtree) => (slot == 0).then_some(*subtree),
            Self::Here(_) => self.value(slot).map(|id| Subtree { id: NodeId(id), level: below }),
        }
    }

    /// What stands in `slot` itself.
    fn value(&self, slot: u8) -> Option<u32> {
        match self {
            Self::Here(table) => table.get(usize::from(slot)).copied().flatten(),
            _ => None,
        }
    }
}

fn all_equal<T: PartialEq>(mut items: impl Iterator<Item = T>) -> bool {
    items.next().is_none_or(|first| items.all(|item| item == first))
}

fn diff_below<S: NodeStore + ?Sized>(
    store: &S,
    sides: &[Option<Subtree>],
    level: u8,
    prefix: u32,
    visit: &mut Visit<'_, S::Error>,
) -> Result<(), S::Error> {
    if all_equal(sides.iter()) {
        return Ok(());
    }
    let nodes = sides.iter().map(|side| Side::load(store, *side, level)).collect::<Result<Vec<_>, _>>()?;
    for slot in 0..=u8::MAX {
        let key = (prefix << 8) | u32::from(slot);
        if let Some(below) = level.checked_sub(1) {
            if !all_equal(nodes.iter().map(|node| node.child(slot, below))) {
                let children: Vec<_> = nodes.iter().map(|node| node.child(slot, below)).collect();
                diff_below(store, &children, below, key, visit)?;
            }
        } else if !all_equal(nodes.iter().map(|node| node.value(slot))) {
            let events: Vec<_> = nodes.iter().map(|node| node.value(slot).map(EventNid)).collect();
            visit(StateKeyNid(key), &events)?;
        }
    }
    Ok(())
}
