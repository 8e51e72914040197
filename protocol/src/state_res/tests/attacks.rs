//! What branches may not do to each other, and what they may cost.

use std::rc::Rc;

use ruma::room_version_rules::RoomVersionRules;
use serde_json::{Value, json};

use super::{
    super::{ResolveStore, resolve},
    simulation::State,
};
use crate::{
    auth::{auth_types_for_event, check_state_dependent},
    state_tree::StateRoot,
    testing::{EventDraft, MemoryRoom},
};

const ALICE: &str = "@alice:a";
const BOB: &str = "@bob:b";
const MALLORY: &str = "@mallory:m";

/// The state on one branch.
#[derive(Clone, Default)]
struct Branch {
    root: Option<StateRoot>,
    state: State,
}

/// A public room of Alice, who has power 100, Bob, who has 50, and Mallory.
struct Room {
    rules: RoomVersionRules,
    store: MemoryRoom,
    id: String,
    count: u64,
}

impl Room {
    fn new(rules: &RoomVersionRules) -> (Self, Branch) {
        let rules = rules.clone();
        let mut room = Self { rules, store: MemoryRoom::default(), id: "!r:a".to_owned(), count: 0 };
        let mut branch = Branch::default();
        room.send(&mut branch, ALICE, "m.room.create", "", json!({"creator": ALICE}));
        room.join(&mut branch, ALICE);
        let mut users = json!({BOB: 50, MALLORY: 50});
        if !room.rules.authorization.explicitly_privilege_room_creators {
            users[ALICE] = 100.into();
        }
        room.send(&mut branch, ALICE, "m.room.power_levels", "", json!({"users": users}));
        room.send(&mut branch, ALICE, "m.room.join_rules", "", json!({"join_rule": "public"}));
        room.join(&mut branch, BOB);
        room.join(&mut branch, MALLORY);
        (room, branch)
    }

    fn join(&mut self, branch: &mut Branch, user: &str) {
        self.send(branch, user, "m.room.member", user, json!({"membership": "join"}));
    }

    /// Sends an event that must be allowed.
    fn send(&mut self, branch: &mut Branch, sender: &str, event_type: &str, state_key: &str, content: Value) {
        let json = content.to_string();
        let content_object = crate::json::Value::new(&json).as_object().unwrap();
        let user = sender.try_into().unwrap();
        let rules = &self.rules.authorization;
        let types = auth_types_for_event(rules, event_type, user, Some(state_key), content_object).unwrap();
        let auth_events: Vec<_> = types
            .into_iter()
            .filter_map(|(t, k)| {
                Some(branch.state.get(&(t.to_owned(), k.into_owned()))?.event_id().to_owned())
            })
            .collect();
        self.count += 1;
        let in_room = event_type != "m.room.create" || !rules.room_create_event_id_as_room_id;
        let draft = EventDraft {
            event_id: &format!(
                "${:012x}{}",
                self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16,
                self.count
            ),
            room_id: in_room.then_some(&self.id),
            sender,
            event_type,
            state_key,
            content,
            origin_server_ts: self.count,
            depth: self.count,
            prev_events: &branch.state.values().map(|event| event.event_id().to_owned()).collect::<Vec<_>>(),
            auth_events: &auth_events,
        };
        let event = draft.pdu().unwrap();
        event.room_id().as_str().clone_into(&mut self.id);
        check_state_dependent(rules, &event, &branch.state).unwrap();
        let nid = self.store.add(event, false).unwrap();
        let before = branch.root.unwrap_or(StateRoot::EMPTY);
        branch.root = Some(self.store.state_after(before, nid).unwrap());
        let key = (event_type.to_owned(), state_key.to_owned());
        branch.state.insert(key, self.store.event(nid).unwrap());
    }

    /// Puts an event that another branch has into the state of this one.
    fn take_over(&mut self, branch: &mut Branch, other: &Branch, event_type: &str, state_key: &str) {
        let key = (event_type.to_owned(), state_key.to_owned());
        let event = Rc::clone(&other.state[&key]);
        let nid = self.store.nid(event.event_id()).unwrap();
        branch.root = Some(self.store.state_after(branch.root.unwrap(), nid).unwrap());
        branch.state.insert(key, event);
    }

    fn resolve(&mut self, branches: &[&Branch]) -> State {
        let roots: Vec<StateRoot> = branches.iter().filter_map(|branch| branch.root).collect();
        let root = resolve(&self.rules, &mut self.store, &roots).unwrap();
        let mut state = State::new();
        for entry in crate::state_tree::entries(&self.store, root) {
            let event: Rc<_> = self.store.event(entry.unwrap().1).unwrap();
            state.insert((event.event_type().to_owned(), event.state_key().unwrap().to_owned()), event);
        }
        state
    }
}

fn content(state: &State, event_type: &str, state_key: &str) -> Value {
    state[&(event_type.to_owned(), state_key.to_owned())].content_as().unwrap()
}

/// Versions with algorithm 2 and 2.1; version 1 is known not to withstand.
const VERSIONS: [RoomVersionRules; 3] = [RoomVersionRules::V2, RoomVersionRules::V11, RoomVersionRules::V12];

#[test]
fn a_ban_holds_against_what_the_banned_does_on_another_branch() {
    for rules in &VERSIONS {
        let (mut room, mut here) = Room::new(rules);
        let mut there = here.clone();
        room.send(&mut here, BOB, "m.room.topic", "", json!({"topic": "ours"}));
        room.send(&mut here, ALICE, "m.room.member", MALLORY, json!({"membership": "ban"}));
        let profile = json!({"membership": "join", "displayname": "M"});
        room.send(&mut there, MALLORY, "m.room.member", MALLORY, profile);
        room.send(&mut there, MALLORY, "m.room.topic", "", json!({"topic": "mine"}));
        room.send(&mut there, MALLORY, "m.room.name", "", json!({"name": "mine"}));
        let state = room.resolve(&[&here, &there]);
        assert_eq!(content(&state, "m.room.member", MALLORY)["membership"], "ban");
        assert_eq!(content(&state, "m.room.topic", "")["topic"], "ours");
        assert!(!state.contains_key(&("m.room.name".to_owned(), String::new())));
    }
}

#[test]
fn who_lost_power_does_not_get_it_back_from_a_branch_before() {
    for rules in &VERSIONS {
        let (mut room, mut here) = Room::new(rules);
        let mut there = here.clone();
        let mut levels = content(&here.state, "m.room.power_levels", "");
        levels["users"][MALLORY] = 0.into();
        room.send(&mut here, ALICE, "m.room.power_levels", "", levels.clone());
        room.send(&mut there, MALLORY, "m.room.join_rules", "", json!({"join_rule": "invite"}));
        room.send(&mut there, MALLORY, "m.room.topic", "", json!({"topic": "mine"}));
        let state = room.resolve(&[&here, &there]);
        assert_eq!(content(&state, "m.room.power_levels", "")["users"][MALLORY], 0);
        assert_eq!(content(&state, "m.room.join_rules", "")["join_rule"], "public");
        assert!(!state.contains_key(&("m.room.topic".to_owned(), String::new())));
    }
}

#[test]
fn what_both_branches_do_apart_from_each_other_stays() {
    for rules in &VERSIONS {
        let (mut room, mut here) = Room::new(rules);
        let mut there = here.clone();
        room.send(&mut here, BOB, "m.room.topic", "", json!({"topic": "topic"}));
        room.join(&mut there, "@carol:c");
        room.send(&mut there, ALICE, "m.room.name", "", json!({"name": "name"}));
        let state = room.resolve(&[&here, &there]);
        assert_eq!(content(&state, "m.room.topic", "")["topic"], "topic");
        assert_eq!(content(&state, "m.room.name", "")["name"], "name");
        assert_eq!(content(&state, "m.room.member", "@carol:c")["membership"], "join");
    }
}

#[test]
fn what_all_branches_have_is_not_judged_anew_because_one_of_them_cites_it() {
    for rules in &VERSIONS {
        let (mut room, mut here) = Room::new(rules);
        // Carol joins by rules that here nothing cites, before the room is closed on both branches.
        room.send(&mut here, ALICE, "m.room.join_rules", "", json!({"join_rule": "public", "n": 1}));
        let mut there = here.clone();
        room.join(&mut there, "@carol:c");
        room.send(&mut here, ALICE, "m.room.join_rules", "", json!({"join_rule": "invite"}));
        room.take_over(&mut there, &here, "m.room.join_rules", "");
        // Only here is something that cites the present rules.
        room.send(&mut here, ALICE, "m.room.member", "@dave:d", json!({"membership": "invite"}));
        let state = room.resolve(&[&here, &there]);
        assert_eq!(content(&state, "m.room.join_rules", "")["join_rule"], "invite");
        assert_eq!(content(&state, "m.room.member", "@dave:d")["membership"], "invite");
        assert_eq!(content(&state, "m.room.member", "@carol:c")["membership"], "join");
    }
}

/// Events and pages of citers loaded to resolve the same fork in a room of so many members.
fn cost_of_a_fork(rules: &RoomVersionRules, members: usize) -> (usize, usize) {
    let (mut room, mut here) = Room::new(rules);
    for member in 0..members {
        room.join(&mut here, &format!("@member{member}:m"));
    }
    let mut there = here.clone();
    room.send(&mut here, BOB, "m.room.topic", "", json!({"topic": "ours"}));
    room.send(&mut here, ALICE, "m.room.member", MALLORY, json!({"membership": "ban"}));
    room.join(&mut here, "@new:h");
    room.send(&mut there, MALLORY, "m.room.topic", "", json!({"topic": "mine"}));
    room.join(&mut there, "@new:t");
    room.store.reset_loads();
    resolve(&room.rules, &mut room.store, &[here.root.unwrap(), there.root.unwrap()]).unwrap();
    room.store.loads()
}

#[test]
fn a_fork_costs_the_same_in_a_large_room_as_in_a_small_one() {
    for rules in &VERSIONS {
        assert_eq!(cost_of_a_fork(rules, 20), cost_of_a_fork(rules, 600));
    }
}
