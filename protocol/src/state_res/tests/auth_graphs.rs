//! The auth difference and the conflicted state subgraph on graphs such as no room has.

use std::collections::BTreeSet;

use ruma::OwnedEventId;
use serde_json::json;

use super::{
    super::{
        ResolveStore, auth_difference::auth_difference, conflict::Conflict, facts::Facts,
        subgraph::conflicted_subgraph,
    },
    naive,
    simulation::Random,
};
use crate::{
    nid::EventNid,
    state_tree::{self, StateRoot},
    testing::{EventDraft, MemoryRoom},
};

/// Events of a few keys that cite any earlier events.
fn random_room(random: &mut Random) -> MemoryRoom {
    let mut room = MemoryRoom::default();
    let (events, keys, most_cited) = (5 + random.below(60), 1 + random.below(12), 1 + random.below(4));
    let far = random.chance(50);
    let mut ids: Vec<OwnedEventId> = Vec::new();
    for number in 0..events {
        let mut cited = BTreeSet::new();
        for _ in 0..random.below(most_cited + 1) {
            if !ids.is_empty() {
                let recent = if far { ids.len() } else { ids.len().min(6) };
                cited.insert(ids[ids.len() - 1 - random.below(recent)].clone());
            }
        }
        let draft = EventDraft {
            event_id: &format!("${:08x}", random.next() & 0xffff_ffff),
            room_id: Some("!r:a"),
            sender: "@a:a",
            event_type: "t",
            state_key: &random.below(keys).to_string(),
            content: json!({}),
            origin_server_ts: 0,
            depth: u64::try_from(number).unwrap(),
            prev_events: &[],
            auth_events: &cited.into_iter().collect::<Vec<_>>(),
        };
        let event = draft.pdu().unwrap();
        ids.push(event.event_id().to_owned());
        room.add(event, false).unwrap();
    }
    room
}

/// A few states that share most of their entries.
fn some_states(room: &mut MemoryRoom, random: &mut Random) -> Vec<StateRoot> {
    let events: Vec<EventNid> = room.events().map(|(nid, _, _)| nid).collect();
    let mut common = StateRoot::EMPTY;
    for _ in 0..random.below(15) {
        common = room.state_after(common, *random.pick(&events)).unwrap();
    }
    let mut roots = Vec::new();
    for _ in 0..2 + random.below(3) {
        let mut side = common;
        for _ in 0..random.below(4) {
            let event = *random.pick(&events);
            side = if random.chance(20) {
                let key = room.auth_node(event).unwrap().key;
                state_tree::apply(room, side, [(key, None)]).unwrap()
            } else {
                room.state_after(side, event).unwrap()
            };
        }
        roots.push(side);
    }
    roots
}

#[test]
fn auth_difference_and_subgraph_are_exact_on_any_graph() {
    for seed in 0..6000 {
        let mut random = Random::new(seed);
        let mut room = random_room(&mut random);
        let roots = some_states(&mut room, &mut random);
        let states: Vec<BTreeSet<EventNid>> = roots
            .iter()
            .map(|root| state_tree::entries(&room, *root).map(|entry| entry.unwrap().1).collect())
            .collect();
        let conflict = Conflict::find(&room, &roots).unwrap();
        let facts = Facts::new(&room).unwrap();
        assert_eq!(
            auth_difference(&facts, &conflict).unwrap(),
            naive::auth_difference(&room, &states),
            "auth difference, seed {seed}"
        );
        let conflicted = conflict.events();
        let ids = conflicted.iter().map(|nid| room.event(*nid).unwrap().event_id().to_owned()).collect();
        let subgraph = naive::Chains::of(&room).subgraph(&ids);
        assert_eq!(
            conflicted_subgraph(&facts, &conflicted).unwrap(),
            subgraph.iter().map(|id| room.nid(id).unwrap()).collect(),
            "subgraph, seed {seed}"
        );
    }
}
