//! What state resolution costs in rooms of different sizes, and what ruma's costs for the same states.
//!
//! Prints one `metric<TAB>value<TAB>unit` a line. Times are medians.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a bench that fails should say so, and prints"
)]

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use ruma::{
    OwnedEventId,
    events::StateEventType,
    room_version_rules::{RoomVersionRules, StateResolutionV2Rules},
    state_res::{StateMap, utils::event_id_set::EventIdSet},
};
use selvedge_protocol::{
    event::Pdu,
    state_res::{ResolveStore, resolve},
    state_tree::{self, Builder, StateRoot},
    testing::{EventDraft, MemoryRoom},
};
use serde_json::{Value, json};

#[path = "../src/state_res/tests/oracle/event.rs"]
mod oracle_event;

use oracle_event::OracleEvent;

const ADMIN: &str = "@admin:a";
const MODERATOR: &str = "@moderator:b";

fn main() {
    let mut times = Vec::new();
    for members in [100, 10_000, 100_000] {
        let mut fork = Fork::new(members);
        fork.room.reset_loads();
        resolve(&RoomVersionRules::V11, &mut fork.room, &fork.sides).unwrap();
        let (event_loads, citer_pages) = fork.room.loads();
        let name = format!("resolve.members_{members}.conflicts_10");
        println!("{name}.node_loads\t{}\tnodes", fork.room.nodes().loads());
        println!("{name}.event_loads\t{event_loads}\tevents");
        println!("{name}.citer_pages\t{citer_pages}\tpages");
        let time = median(501, || {
            let started = Instant::now();
            let root = resolve(&RoomVersionRules::V11, &mut fork.room, &fork.sides).unwrap();
            let time = started.elapsed();
            assert_ne!(root, StateRoot::EMPTY);
            time
        });
        println!("{name}.time\t{:.1}\tus", time.as_secs_f64() * 1e6);
        times.push(time.as_secs_f64());
        if members == 100_000 {
            let theirs = time_ruma(&mut fork);
            println!("{name}.ruma_state_res_time\t{:.1}\tus", theirs.as_secs_f64() * 1e6);
            println!("{name}.ratio_to_ruma_state_res\t{:.1}\tx", theirs.as_secs_f64() / time.as_secs_f64());
        }
    }
    let (least, most) = times.iter().fold((f64::MAX, 0.0_f64), |(a, b), time| (a.min(*time), b.max(*time)));
    println!("resolve.conflicts_10.spread_over_room_sizes\t{:.2}\tx", most / least);
}

fn median(count: usize, mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..count).map(|_| run()).collect();
    times.sort();
    *times.get(count / 2).unwrap()
}

/// ruma's time for the same two states, after checking that it comes to the same result.
fn time_ruma(fork: &mut Fork) -> Duration {
    let ours = resolve(&RoomVersionRules::V11, &mut fork.room, &fork.sides).unwrap();
    let maps: Vec<_> = fork.sides.iter().map(|root| fork.state_map(*root)).collect();
    let chains: Vec<_> = maps.iter().map(|map| fork.auth_chain(map)).collect();
    let events: HashMap<OwnedEventId, OracleEvent> = fork
        .room
        .events()
        .map(|(_, event, node)| (event.event_id().to_owned(), OracleEvent::new(event, node.rejected)))
        .collect();
    let expected = fork.state_map(ours);
    median(5, || {
        let chains = chains.clone();
        let started = Instant::now();
        let resolved = ruma::state_res::resolve(
            &RoomVersionRules::V11.authorization,
            &StateResolutionV2Rules::V2_0,
            &maps,
            chains,
            |id| events.get(id).cloned(),
            |_| None,
        )
        .unwrap();
        let time = started.elapsed();
        assert_eq!(resolved, expected);
        time
    })
}

/// A room in which two branches disagree on ten keys.
struct Fork {
    room: MemoryRoom,
    sides: [StateRoot; 2],
    count: u64,
}

impl Fork {
    fn new(members: usize) -> Self {
        let mut fork = Self { room: MemoryRoom::default(), sides: [StateRoot::EMPTY; 2], count: 0 };
        let mut base = StateRoot::EMPTY;
        let create = json!({"room_version": "11"});
        let create = fork.send(&mut base, ADMIN, "m.room.create", "", create, &[]);
        let join = json!({"membership": "join"});
        let admin = fork.send(&mut base, ADMIN, "m.room.member", ADMIN, join.clone(), &[&create]);
        let levels = json!({"users": {ADMIN: 100, MODERATOR: 50}});
        let levels = fork.send(&mut base, ADMIN, "m.room.power_levels", "", levels, &[&create, &admin]);
        let public = json!({"join_rule": "public"});
        let rules = fork.send(&mut base, ADMIN, "m.room.join_rules", "", public, &[&create, &levels, &admin]);
        let joining = [&create, &levels, &rules];
        let moderator = fork.send(&mut base, MODERATOR, "m.room.member", MODERATOR, join.clone(), &joining);
        let mut builder = Builder::new(base);
        let mut joins = Vec::new();
        for member in 0..members {
            let user = format!("@member{member}:c");
            let id = fork.add(&user, "m.room.member", &user, join.clone(), &joining);
            let nid = fork.room.nid(&id).unwrap();
            let key = fork.room.auth_node(nid).unwrap().key;
            builder.push(&mut fork.room, key, nid).unwrap();
            joins.push(id);
        }
        let base = builder.finish(&mut fork.room).unwrap();
        let setup = Setup { base, create, admin, levels, rules, moderator, joins };
        fork.sides = [fork.branch(&setup, 0), fork.branch(&setup, 1)];
        assert_eq!(state_tree::diff(&fork.room, fork.sides[0], fork.sides[1]).unwrap().len(), 10);
        fork
    }

    /// Power levels, join rules, topic and name are set on both branches, one member is banned on one and changes
    /// their name on the other, three do so on both, and a new one joins each branch.
    fn branch(&mut self, setup: &Setup, side: usize) -> StateRoot {
        let Setup { create, admin, levels, rules, moderator, joins, .. } = setup;
        let mut root = setup.base;
        let to = &mut root;
        let note = format!("branch {side}");
        let content = json!({"users": {ADMIN: 100, MODERATOR: 50, "@member3:c": 10 + side}});
        let new_levels = self.send(to, ADMIN, "m.room.power_levels", "", content, &[create, levels, admin]);
        let content = json!({"join_rule": if side == 0 { "public" } else { "knock" }});
        let new_rules = self.send(to, ADMIN, "m.room.join_rules", "", content, &[create, &new_levels, admin]);
        let by_moderator = [create, &new_levels, moderator];
        self.send(to, MODERATOR, "m.room.topic", "", json!({"topic": note}), &by_moderator);
        self.send(to, MODERATOR, "m.room.name", "", json!({"name": note}), &by_moderator);
        let spread = joins.len() / 5;
        for (number, join) in joins.iter().step_by(spread).take(4).enumerate() {
            let user = format!("@member{}:c", number * spread);
            if number == 0 && side == 0 {
                let auth = [create, &new_levels, moderator, join];
                self.send(to, MODERATOR, "m.room.member", &user, json!({"membership": "ban"}), &auth);
            } else {
                let content = json!({"membership": "join", "displayname": note});
                self.send(to, &user, "m.room.member", &user, content, &[create, levels, rules, join]);
            }
        }
        let user = format!("@new{side}:c");
        let auth = [create, &new_levels, if side == 0 { &new_rules } else { rules }];
        self.send(to, &user, "m.room.member", &user, json!({"membership": "join"}), &auth);
        root
    }

    fn send(
        &mut self,
        root: &mut StateRoot,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
        auth_events: &[&OwnedEventId],
    ) -> OwnedEventId {
        let id = self.add(sender, event_type, state_key, content, auth_events);
        *root = self.room.state_after(*root, self.room.nid(&id).unwrap()).unwrap();
        id
    }

    fn add(
        &mut self,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
        auth_events: &[&OwnedEventId],
    ) -> OwnedEventId {
        self.count += 1;
        let draft = EventDraft {
            event_id: &format!("${:043}", self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            room_id: Some("!room:a"),
            sender,
            event_type,
            state_key,
            content,
            origin_server_ts: self.count,
            depth: self.count,
            prev_events: &[],
            auth_events: &auth_events.iter().map(|id| (*id).clone()).collect::<Vec<_>>(),
        };
        let event = draft.pdu().unwrap();
        let id = event.event_id().to_owned();
        self.room.add(event, false).unwrap();
        id
    }

    fn state_map(&self, root: StateRoot) -> StateMap<OwnedEventId> {
        let mut map = StateMap::new();
        for entry in state_tree::entries(&self.room, root) {
            let event = self.room.event(entry.unwrap().1).unwrap();
            let key = (StateEventType::from(event.event_type()), event.state_key().unwrap().to_owned());
            map.insert(key, event.event_id().to_owned());
        }
        map
    }

    fn auth_chain(&self, map: &StateMap<OwnedEventId>) -> EventIdSet<OwnedEventId> {
        let mut chain = EventIdSet::new();
        let mut stack: Vec<OwnedEventId> = map.values().cloned().collect();
        while let Some(id) = stack.pop() {
            let event = self.room.event(self.room.nid(&id).unwrap()).unwrap();
            for cited in event.auth_events() {
                if chain.insert(cited.clone()) {
                    stack.push(cited.clone());
                }
            }
        }
        chain
    }
}

/// The room before the fork.
struct Setup {
    base: StateRoot,
    create: OwnedEventId,
    admin: OwnedEventId,
    levels: OwnedEventId,
    rules: OwnedEventId,
    moderator: OwnedEventId,
    joins: Vec<OwnedEventId>,
}
