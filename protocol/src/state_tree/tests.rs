#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::testing::MemoryNodes;

type Model = BTreeMap<u32, u32>;

fn tree_of(store: &mut MemoryNodes, model: &Model) -> StateRoot {
    apply(store, StateRoot::EMPTY, model.iter().map(|(k, v)| (StateKeyNid(*k), Some(EventNid(*v))))).unwrap()
}

fn model_of(store: &MemoryNodes, root: StateRoot) -> Model {
    entries(store, root).map(|entry| entry.unwrap()).map(|(k, v)| (k.0, v.0)).collect()
}

/// Keys near each other, and now and then one that needs a taller tree.
fn key() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..40_u32, 4 => 200..700_u32, 2 => 65_500..65_600_u32, 1 => 16_777_000..16_778_000_u32, 1 => any::<u32>()]
}

fn changes() -> impl Strategy<Value = Vec<(u32, Option<u32>)>> {
    let event =
        prop_oneof![3 => (1..2000_u32).prop_map(Some), 1 => any::<u32>().prop_map(Some), 2 => Just(None)];
    prop::collection::vec((key(), event), 0..60)
}

fn apply_to_model(model: &mut Model, changes: &[(u32, Option<u32>)]) {
    for (key, event) in changes {
        match event {
            Some(event) => model.insert(*key, *event),
            None => model.remove(key),
        };
    }
}

fn apply_changes(store: &mut MemoryNodes, root: StateRoot, changes: &[(u32, Option<u32>)]) -> StateRoot {
    apply(store, root, changes.iter().map(|(k, v)| (StateKeyNid(*k), v.map(EventNid)))).unwrap()
}

#[test]
fn a_tree_may_grow_by_several_levels_at_once() {
    let mut store = MemoryNodes::default();
    for key in [0x1_0000, 0x100_0000] {
        let small = apply_changes(&mut store, StateRoot::EMPTY, &[(0, Some(1))]);
        let grown = apply_changes(&mut store, small, &[(key, Some(2))]);
        assert_eq!(model_of(&store, grown), Model::from([(0, 1), (key, 2)]));
    }
}

proptest! {
    #[test]
    fn a_tree_is_a_map_and_old_versions_stay(batches in prop::collection::vec(changes(), 1..6)) {
        let mut store = MemoryNodes::default();
        let mut versions = vec![(StateRoot::EMPTY, Model::new())];
        for batch in &batches {
            let (root, mut model) = versions.last().cloned().unwrap();
            let root = apply_changes(&mut store, root, batch);
            apply_to_model(&mut model, batch);
            versions.push((root, model));
        }
        for (root, model) in &versions {
            prop_assert_eq!(&model_of(&store, *root), model);
            for (key, _) in batches.iter().flatten() {
                let found = get(&store, *root, StateKeyNid(*key)).unwrap();
                prop_assert_eq!(found, model.get(key).copied().map(EventNid));
            }
            if model.is_empty() {
                prop_assert_eq!(*root, StateRoot::EMPTY);
            }
        }
    }

    #[test]
    fn a_difference_is_every_key_on_which_versions_disagree(sides in prop::collection::vec(changes(), 1..5), common in changes()) {
        let mut store = MemoryNodes::default();
        let base = apply_changes(&mut store, StateRoot::EMPTY, &common);
        let mut base_model = Model::new();
        apply_to_model(&mut base_model, &common);
        let mut roots = Vec::new();
        let mut models = Vec::new();
        for side in &sides {
            roots.push(apply_changes(&mut store, base, side));
            let mut model = base_model.clone();
            apply_to_model(&mut model, side);
            models.push(model);
        }
        let keys: BTreeSet<u32> = models.iter().flat_map(|model| model.keys().copied()).collect();
        let expected: Vec<(u32, Vec<Option<u32>>)> = keys
            .into_iter()
            .map(|key| (key, models.iter().map(|model| model.get(&key).copied()).collect::<Vec<_>>()))
            .filter(|(_, events)| events.iter().any(|event| event != &events[0]))
            .collect();
        let mut found = Vec::new();
        diff_all(&store, &roots, &mut |key, events| {
            found.push((key.0, events.iter().map(|event| event.map(|event| event.0)).collect::<Vec<_>>()));
            Ok(())
        })
        .unwrap();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_bytes_make_a_node_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(node) = Node::parse(bytes) {
            prop_assert_eq!(node.slots().count(), node.len());
            for (slot, value) in node.slots() {
                prop_assert_eq!(node.get(slot), Some(value));
            }
        }
    }

    #[test]
    fn a_build_takes_entries_in_any_order(entries in prop::collection::vec((key(), any::<u32>()), 0..300)) {
        let mut store = MemoryNodes::default();
        let mut builder = Builder::new(StateRoot::EMPTY);
        let mut model = Model::new();
        for (key, event) in entries {
            builder.push(&mut store, StateKeyNid(key), EventNid(event)).unwrap();
            model.insert(key, event);
        }
        let root = builder.finish(&mut store).unwrap();
        prop_assert_eq!(model_of(&store, root), model);
    }
}

fn large_room(store: &mut MemoryNodes) -> StateRoot {
    let mut builder = Builder::new(StateRoot::EMPTY);
    for key in 1..=100_000 {
        builder.push(store, StateKeyNid(key), EventNid(key + 7)).unwrap();
    }
    builder.finish(store).unwrap()
}

#[test]
fn a_state_event_in_a_room_of_100_000_keys_writes_three_nodes_under_a_kilobyte() {
    let mut store = MemoryNodes::default();
    let root = large_room(&mut store);
    let before = store.len();
    let root = apply(&mut store, root, [(StateKeyNid(70_000), Some(EventNid(5_000_000)))]).unwrap();
    assert_eq!(store.len() - before, 3);
    let sizes: Vec<usize> = store.since(before).map(|node| node.as_bytes().len()).collect();
    assert!(sizes.iter().all(|size| *size <= 1024), "{sizes:?}");
    assert_eq!(get(&store, root, StateKeyNid(70_000)).unwrap(), Some(EventNid(5_000_000)));
}

#[test]
fn setting_an_entry_to_what_it_is_writes_nothing() {
    let mut store = MemoryNodes::default();
    let root = large_room(&mut store);
    let before = store.len();
    assert_eq!(apply(&mut store, root, [(StateKeyNid(500), Some(EventNid(507)))]).unwrap(), root);
    assert_eq!(apply(&mut store, root, [(StateKeyNid(4_000_000), None)]).unwrap(), root);
    assert_eq!(store.len(), before);
}

#[test]
fn a_batch_writes_each_touched_node_once() {
    let mut store = MemoryNodes::default();
    let root = large_room(&mut store);
    let before = store.len();
    apply(&mut store, root, (256..512).map(|key| (StateKeyNid(key), Some(EventNid(1))))).unwrap();
    assert_eq!(store.len() - before, 3);
}

#[test]
fn a_difference_reads_only_what_differs() {
    let mut store = MemoryNodes::default();
    let left = large_room(&mut store);
    let right =
        apply(&mut store, left, [(StateKeyNid(70_000), None), (StateKeyNid(3), Some(EventNid(1)))]).unwrap();
    store.reset_loads();
    let found = diff(&store, left, right).unwrap();
    assert_eq!(
        found,
        vec![
            Difference { key: StateKeyNid(3), left: Some(EventNid(10)), right: Some(EventNid(1)) },
            Difference { key: StateKeyNid(70_000), left: Some(EventNid(70_007)), right: None },
        ]
    );
    // Two roots (each also asked for its level), two inner nodes and two leaves a side.
    assert!(store.loads() <= 12, "{}", store.loads());
}

#[test]
fn an_import_leaves_few_nodes_behind() {
    let mut store = MemoryNodes::default();
    let root = large_room(&mut store);
    let mut live = BTreeSet::new();
    visit_nodes(&store, root, &mut |id| live.insert(id)).unwrap();
    assert_eq!(live.len(), 391 + 2 + 1);
    assert!(store.len() - live.len() <= 3 * (100_000 / Builder::BATCH + 1), "{}", store.len());
}

#[test]
fn a_node_on_the_wrong_level_is_an_error() {
    let mut store = MemoryNodes::default();
    let leaf = store.insert(&Node::new(0, &[(3, 9)]).unwrap()).unwrap();
    let top = store.insert(&Node::new(2, &[(0, leaf.0)]).unwrap()).unwrap();
    let root = StateRoot::from(Some(top));
    assert!(get(&store, root, StateKeyNid(3)).is_err());
    assert!(entries(&store, root).any(|entry| entry.is_err()));
    let mut one = Model::new();
    one.insert(66_000, 1);
    let other = tree_of(&mut store, &one);
    assert!(diff(&store, root, other).is_err());
}
