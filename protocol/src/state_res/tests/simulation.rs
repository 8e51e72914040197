//! A room that is simulated from a seed: users who do as they are allowed, on branches that split and meet, and some
//! who go back to old states to get around what happened since.

use std::{collections::BTreeMap, convert::Infallible, rc::Rc};

use ruma::{OwnedEventId, room_version_rules::RoomVersionRules};
use serde_json::{Value, json};

use super::super::{ResolveStore, resolve};
use crate::{
    auth::{AuthState, auth_types_for_event, check_state_dependent},
    event::Pdu,
    nid::EventNid,
    state_tree::{self, StateRoot},
    testing::{EventDraft, MemoryRoom},
};

/// A state as a plain map, the way the specification speaks of it.
pub type State = BTreeMap<(String, String), Rc<Pdu>>;

impl AuthState for State {
    type Error = Infallible;

    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, Infallible> {
        Ok(self.get(&(event_type.to_owned(), state_key.to_owned())).cloned())
    }
}

/// Small, quick and the same everywhere: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next()).unwrap() % end
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// The tip of a branch.
#[derive(Clone)]
pub struct Head {
    pub root: StateRoot,
    pub state: State,
    last: Vec<OwnedEventId>,
    depth: u64,
}

pub struct Simulation {
    pub rules: RoomVersionRules,
    pub room: MemoryRoom,
    pub random: Random,
    /// Every state the room was in, to fork from.
    pub history: Vec<Head>,
    pub heads: Vec<Head>,
    room_id: String,
    count: u64,
}

const USERS: [&str; 6] = ["@alice:a", "@bob:b", "@carol:a", "@dan:c", "@erin:b", "@frank:c"];

impl Simulation {
    /// A public room made by Alice, in which Bob and Carol are, Bob with some power.
    pub fn new(rules: RoomVersionRules, seed: u64) -> Self {
        let mut simulation = Self {
            rules,
            room: MemoryRoom::default(),
            random: Random::new(seed),
            history: Vec::new(),
            heads: Vec::new(),
            room_id: "!room:a".to_owned(),
            count: 0,
        };
        let mut head = Head { root: StateRoot::EMPTY, state: State::new(), last: Vec::new(), depth: 0 };
        let mut create = json!({"room_version": "1", "creator": "@alice:a"});
        if simulation.rules.authorization.additional_room_creators && simulation.random.chance(30) {
            create["additional_creators"] = json!(["@carol:a"]);
        }
        simulation.force(&mut head, "@alice:a", "m.room.create", "", create);
        simulation.force(&mut head, "@alice:a", "m.room.member", "@alice:a", json!({"membership": "join"}));
        // Without join rules nobody may join as ruma has it; those who were invited, as other servers do: here no
        // branch starts before there are some.
        simulation.force(&mut head, "@alice:a", "m.room.join_rules", "", json!({"join_rule": "public"}));
        simulation.history = vec![head.clone()];
        let mut users = json!({"@bob:b": 50});
        if !simulation.rules.authorization.explicitly_privilege_room_creators {
            users["@alice:a"] = 100.into();
        }
        simulation.force(&mut head, "@alice:a", "m.room.power_levels", "", json!({"users": users}));
        simulation.force(&mut head, "@bob:b", "m.room.member", "@bob:b", json!({"membership": "join"}));
        simulation.force(&mut head, "@carol:a", "m.room.member", "@carol:a", json!({"membership": "join"}));
        simulation.heads.push(head);
        simulation
    }

    /// Lets branches grow, split, and go wrong, until it is time for some of them to meet; returns which.
    pub fn diverge(&mut self) -> Vec<Head> {
        let count = 2 + usize::from(self.random.chance(30)) + usize::from(self.random.chance(10));
        let mut heads = Vec::new();
        for _ in 0..count {
            let mut head = self.fork();
            for _ in 0..self.random.below(6) {
                self.act(&mut head);
            }
            heads.push(head);
        }
        heads
    }

    /// Resolves the states of some branches and goes on from what comes out; `None` if that is without join rules,
    /// as when the only ones were a branch's that lost.
    pub fn merge(&mut self, heads: &[Head]) -> Option<State> {
        let roots: Vec<StateRoot> = heads.iter().map(|head| head.root).collect();
        let root = resolve(&self.rules, &mut self.room, &roots).unwrap();
        let state = self.state_of(root);
        if !state.contains_key(&("m.room.join_rules".to_owned(), String::new())) {
            return None;
        }
        let head = Head {
            root,
            state: state.clone(),
            last: heads.iter().flat_map(|head| head.last.iter().cloned()).collect(),
            depth: heads.iter().map(|head| head.depth).max().unwrap(),
        };
        self.history.push(head.clone());
        if self.heads.len() >= 3 {
            let gone = self.random.below(self.heads.len());
            self.heads.swap_remove(gone);
        }
        self.heads.push(head);
        Some(state)
    }

    pub fn state_of(&self, root: StateRoot) -> State {
        let mut state = State::new();
        for entry in state_tree::entries(&self.room, root) {
            let event = self.room.event(entry.unwrap().1).unwrap();
            state.insert((event.event_type().to_owned(), event.state_key().unwrap().to_owned()), event);
        }
        state
    }

    /// Mostly a tip; sometimes any state of the past.
    fn fork(&mut self) -> Head {
        if self.random.chance(25) {
            return self.random.pick(&self.history).clone();
        }
        self.random.pick(&self.heads).clone()
    }

    /// One user does one thing, if the rules allow it.
    fn act(&mut self, head: &mut Head) {
        let sender =
            if self.random.chance(40) { USERS[self.random.below(2)] } else { *self.random.pick(&USERS) };
        let (event_type, state_key, content) = self.content(head, sender);
        let malicious = self.random.chance(8);
        let auth_state =
            if malicious { self.random.pick(&self.history).state.clone() } else { head.state.clone() };
        let Some(event) = self.event(head, &auth_state, sender, event_type, &state_key, content) else {
            return;
        };
        // An event that its own auth events do not allow never gets anywhere.
        let by_auth_events: State = event
            .auth_events()
            .iter()
            .map(|id| self.room.event(self.room.nid(id).unwrap()).unwrap())
            .chain(head.state.get(&("m.room.create".to_owned(), String::new())).cloned())
            .map(|event| ((event.event_type().to_owned(), event.state_key().unwrap().to_owned()), event))
            .collect();
        if check_state_dependent(&self.rules.authorization, &event, &by_auth_events).is_err() {
            return;
        }
        // One that the state does not allow is rejected, but a bad server may still say that it is state. Not of join
        // rules: the check would pass over them, and find a room without.
        let rejected = check_state_dependent(&self.rules.authorization, &event, &head.state).is_err();
        if !rejected || (event_type != "m.room.join_rules" && self.random.chance(20)) {
            self.append(head, event, rejected);
        }
    }

    fn content(&mut self, head: &Head, sender: &str) -> (&'static str, String, Value) {
        match self.random.below(100) {
            0..=24 => ("m.room.member", sender.to_owned(), self.own_membership(head)),
            25..=54 => {
                let target = (*self.random.pick(&USERS)).to_owned();
                let membership = *self.random.pick(&["invite", "leave", "ban", "ban", "leave"]);
                ("m.room.member", target, json!({"membership": membership}))
            }
            55..=71 => ("m.room.power_levels", String::new(), self.power_levels(head)),
            72..=81 => {
                let rule =
                    *self.random.pick(&["public", "invite", "knock", "restricted", "knock_restricted"]);
                let allow = json!([{"type": "m.room_membership", "room_id": "!other:a"}]);
                ("m.room.join_rules", String::new(), json!({"join_rule": rule, "allow": allow}))
            }
            82..=91 => ("m.room.topic", String::new(), json!({"topic": self.random.below(100).to_string()})),
            92..=95 => ("org.example.note", sender.to_owned(), json!({})),
            96..=97 => ("m.room.third_party_invite", "token".to_owned(), json!({"display_name": "x"})),
            _ => ("m.room.aliases", "b".to_owned(), json!({"aliases": []})),
        }
    }

    fn own_membership(&mut self, head: &Head) -> Value {
        match self.random.below(10) {
            0..=1 => json!({"membership": "leave"}),
            2 => json!({"membership": "knock"}),
            3..=4 => {
                let joined = head.state.iter().filter(|(key, event)| {
                    key.0 == "m.room.member" && event.content_str("membership").as_deref() == Some("join")
                });
                let joined: Vec<&str> = joined.map(|(key, _)| key.1.as_str()).collect();
                if joined.is_empty() {
                    return json!({"membership": "join"});
                }
                json!({"membership": "join", "join_authorised_via_users_server": self.random.pick(&joined)})
            }
            _ => json!({"membership": "join"}),
        }
    }

    /// The power levels as they are, with one change.
    fn power_levels(&mut self, head: &Head) -> Value {
        let current = head.state.get(&("m.room.power_levels".to_owned(), String::new()));
        let mut levels: Value = current.map_or_else(|| json!({}), |event| event.content_as().unwrap());
        let level = *self.random.pick(&[0, 25, 50, 50, 100]);
        let privileged = self.rules.authorization.explicitly_privilege_room_creators;
        match self.random.below(6) {
            0..=2 => {
                let user = USERS[self.random.below(6).max(usize::from(privileged))];
                levels["users"][user] = level.into();
            }
            3 => levels["events"]["m.room.topic"] = level.into(),
            4 => levels[*self.random.pick(&["ban", "kick", "invite", "state_default"])] = level.into(),
            _ => levels["users_default"] = (level / 2).into(),
        }
        levels
    }

    /// An event that cites `auth_state`, now and then less or other than it should.
    fn event(
        &mut self,
        head: &Head,
        auth_state: &State,
        sender: &str,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> Option<Pdu> {
        let json = content.to_string();
        let types = auth_types_for_event(
            &self.rules.authorization,
            event_type,
            sender.try_into().unwrap(),
            Some(state_key),
            crate::json::Value::new(&json).as_object()?,
        );
        let mut auth_events = Vec::new();
        for (event_type, state_key) in types.ok()? {
            let key = (event_type.to_owned(), state_key.into_owned());
            let other = if head.depth > 2 && self.random.chance(3) {
                &self.random.pick(&self.history).state
            } else {
                auth_state
            };
            auth_events.extend(other.get(&key).map(|event| event.event_id().to_owned()));
        }
        if !self.rules.authorization.room_create_event_id_as_room_id
            && event_type != "m.room.create"
            && !head.state.is_empty()
        {
            let create = head.state[&("m.room.create".to_owned(), String::new())].event_id();
            if !auth_events.iter().any(|id| id == create) {
                return None;
            }
        }
        self.count += 1;
        let hash = self.random.next();
        let room_id = self.room_id.clone();
        let in_room =
            event_type != "m.room.create" || !self.rules.authorization.room_create_event_id_as_room_id;
        let draft = EventDraft {
            event_id: &format!("${hash:012x}{}", self.count),
            room_id: in_room.then_some(&room_id),
            sender,
            event_type,
            state_key,
            content,
            origin_server_ts: 1000 + self.count / 4 + self.random.next() % 3,
            depth: head.depth + 1,
            prev_events: &head.last,
            auth_events: &auth_events,
        };
        draft.pdu().ok()
    }

    fn append(&mut self, head: &mut Head, event: Pdu, rejected: bool) -> EventNid {
        let nid = self.room.add(event, rejected).unwrap();
        let event = self.room.event(nid).unwrap();
        head.root = self.room.state_after(head.root, nid).unwrap();
        head.last = vec![event.event_id().to_owned()];
        head.depth += 1;
        head.state.insert((event.event_type().to_owned(), event.state_key().unwrap().to_owned()), event);
        self.history.push(head.clone());
        nid
    }

    fn force(&mut self, head: &mut Head, sender: &str, event_type: &str, state_key: &str, content: Value) {
        let state = head.state.clone();
        let event = self.event(head, &state, sender, event_type, state_key, content).unwrap();
        if event_type == "m.room.create" {
            event.room_id().as_str().clone_into(&mut self.room_id);
        }
        self.append(head, event, false);
    }
}
