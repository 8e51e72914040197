//! Resolution over trees against resolution over maps: ruma's for version 2 and 2.1, the specification's words for
//! version 1.
//!
//! `SELVEDGE_ORACLE_CASES` says how many resolutions to compare for each room version; `SELVEDGE_ORACLE_SEED` replays
//! the room of one seed.

use std::{collections::HashMap, env};

use ruma::{
    EventId, OwnedEventId,
    events::StateEventType,
    room_version_rules::{RoomVersionRules, StateResolutionV2Rules},
    state_res::{StateMap, utils::event_id_set::EventIdSet},
};

mod event;

use self::event::OracleEvent;
use super::{
    super::ResolveStore,
    naive::{self, Chains},
    simulation::{Head, Simulation, State},
};
use crate::event::Pdu;

/// How many resolutions a room lives through.
const MERGES: usize = 12;

fn ids(state: &State) -> Vec<(&str, &str, &EventId)> {
    state.iter().map(|((event_type, key), event)| (&**event_type, &**key, event.event_id())).collect()
}

/// What ruma makes of the branches.
fn resolve_by_ruma(simulation: &Simulation, v2_rules: StateResolutionV2Rules, heads: &[Head]) -> State {
    let chains = Chains::of(&simulation.room);
    let events: HashMap<OwnedEventId, OracleEvent> = simulation
        .room
        .events()
        .map(|(_, pdu, node)| (pdu.event_id().to_owned(), OracleEvent::new(pdu, node.rejected)))
        .collect();
    let mut maps: Vec<StateMap<OwnedEventId>> = Vec::new();
    let mut auth_chains = Vec::new();
    for head in heads {
        let key = |key: &(String, String)| (StateEventType::from(&*key.0), key.1.clone());
        maps.push(head.state.iter().map(|(k, event)| (key(k), event.event_id().to_owned())).collect());
        let chain = chains.of_state(head.state.values().map(|event| event.event_id()));
        auth_chains.push(chain.into_iter().collect::<EventIdSet<_>>());
    }
    let resolved = ruma::state_res::resolve(
        &simulation.rules.authorization,
        &v2_rules,
        &maps,
        auth_chains,
        |id| events.get(id).cloned(),
        |conflicted| {
            let conflicted = conflicted.values().flatten().cloned().collect();
            Some(chains.subgraph(&conflicted).into_iter().collect())
        },
    );
    let event = |id: &EventId| simulation.room.event(simulation.room.nid(id).unwrap()).unwrap();
    resolved.unwrap().into_iter().map(|((t, k), id)| ((t.to_string(), k), event(&id))).collect()
}

/// Lives through one room; returns how many resolutions had anything to decide.
fn compare(rules: &RoomVersionRules, seed: u64) -> usize {
    let mut simulation = Simulation::new(rules.clone(), seed);
    let mut conflicts = 0;
    for merge in 0..MERGES {
        let heads = simulation.diverge();
        let Some(ours) = simulation.merge(&heads) else { continue };
        let theirs = if let Some(v2_rules) = rules.state_res.v2_rules() {
            resolve_by_ruma(&simulation, *v2_rules, &heads)
        } else {
            let states: Vec<State> = heads.iter().map(|head| head.state.clone()).collect();
            naive::resolve_v1(&rules.authorization, &states)
        };
        assert_eq!(
            ids(&ours),
            ids(&theirs),
            "resolution {merge} of the room of seed {seed}: replay with SELVEDGE_ORACLE_SEED={seed}"
        );
        conflicts += usize::from(heads.iter().any(|head| ids(&head.state) != ids(&heads[0].state)));
    }
    conflicts
}

fn compare_many(rules: &RoomVersionRules, default_cases: usize) {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    if let Some(seed) = number("SELVEDGE_ORACLE_SEED") {
        compare(rules, seed);
        return;
    }
    let cases =
        number("SELVEDGE_ORACLE_CASES").map_or(default_cases, |cases| usize::try_from(cases).unwrap());
    let (mut compared, mut seed) = (0, 0);
    while compared < cases {
        compared += compare(rules, seed);
        seed += 1;
    }
    println!("{compared} resolutions of {seed} rooms are equal");
}

macro_rules! equal_to_the_oracle {
    ($($name:ident: $rules:ident, $cases:literal;)*) => {$(
        #[test]
        fn $name() {
            compare_many(&RoomVersionRules::$rules, $cases);
        }
    )*};
}

equal_to_the_oracle! {
    room_version_1_resolves_as_specified: V1, 1500;
    room_version_2_resolves_as_ruma_does: V2, 500;
    room_version_6_resolves_as_ruma_does: V6, 500;
    room_version_8_resolves_as_ruma_does: V8, 500;
    room_version_10_resolves_as_ruma_does: V10, 500;
    room_version_11_resolves_as_ruma_does: V11, 1000;
    room_version_12_resolves_as_ruma_does: V12, 1500;
}
