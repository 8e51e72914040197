//! Who sees which event, by every way of reading: the answers of the server against a model of the specification's
//! rules `[C-S §11.10]` that knows nothing of how the server decides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::rooms::{create, path, segment};
use crate::testing::Client;

/// A generator of numbers that look random: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % (sides as u64)).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

/// How many messages may be the roots of threads.
const ROOTS: usize = 3;

/// One random history: the owner, who is always there, changes the history visibility and the membership of others,
/// and all of them talk.
fn live(owner: &Client, others: &[Client], dice: &mut Dice, steps: usize) -> String {
    let room_id = create(owner, json!({"preset": "public_chat"}));
    let mut roots: Vec<String> = Vec::new();
    for step in 0..steps {
        owner.world.advance(10);
        let other = dice.pick(others);
        let about = json!({"user_id": other.user_id});
        match dice.roll(10) {
            0 | 1 => {
                let visibility = dice.pick(&["world_readable", "shared", "invited", "joined"]);
                let target = path(&room_id, "state/m.room.history_visibility/");
                owner.request("PUT", &target, json!({"history_visibility": visibility}));
            }
            2 => drop(owner.request("POST", &path(&room_id, "invite"), about)),
            3 | 4 => drop(other.request("POST", &path(&room_id, "join"), json!({}))),
            5 => drop(other.request("POST", &path(&room_id, "leave"), json!({}))),
            6 => {
                let action = dice.pick(&["kick", "ban", "unban"]);
                owner.request("POST", &path(&room_id, action), about);
            }
            _ => {
                let speaker = if dice.roll(2) == 0 { owner } else { other };
                let mut content = json!({"msgtype": "m.text", "body": format!("word {step}")});
                if roots.len() == ROOTS {
                    let (kind, parent) = match dice.roll(2) {
                        0 => ("m.reference", &roots[0]),
                        _ => ("m.thread", dice.pick(&roots)),
                    };
                    content["m.relates_to"] = json!({"rel_type": kind, "event_id": parent});
                }
                let target = path(&room_id, &format!("send/m.room.message/t{step}"));
                let (status, answer) = speaker.request("PUT", &target, content);
                if status == 200 && roots.len() < ROOTS {
                    roots.push(id(&answer).to_owned());
                }
            }
        }
    }
    room_id
}

/// The room as the model sees it: all events in their order.
struct Model(Vec<Value>);

impl Model {
    fn membership_after(&self, index: usize, user: &str) -> &str {
        let of_user = |event: &&Value| event["type"] == "m.room.member" && event["state_key"] == user;
        let last = self.0[..=index].iter().rev().find(of_user);
        last.map_or("none", |event| event["content"]["membership"].as_str().unwrap())
    }

    fn visibility_after(&self, index: usize) -> &str {
        let last = self.0[..=index].iter().rev().find(|event| event["type"] == "m.room.history_visibility");
        last.map_or("shared", |event| event["content"]["history_visibility"].as_str().unwrap())
    }

    /// The rules of the specification: "a user MUST be allowed to see the event if ...".
    fn may_see(&self, index: usize, user: &str) -> bool {
        let before = index.checked_sub(1);
        let membership = before.map_or("none", |before| self.membership_after(before, user));
        let visibility = before.map_or("shared", |before| self.visibility_after(before));
        let joins_later = || (index..self.0.len()).any(|later| self.membership_after(later, user) == "join");
        let allows = |visibility: &str, membership: &str| match visibility {
            "world_readable" => true,
            _ if membership == "join" => true,
            "shared" => joins_later(),
            "invited" => membership == "invite",
            _ => false,
        };
        let event = &self.0[index];
        // Events that change one of both are judged by what was before and by what is after.
        let is_own = event["type"] == "m.room.member" && event["state_key"] == user;
        let after_membership = if is_own { self.membership_after(index, user) } else { membership };
        allows(visibility, membership)
            || allows(self.visibility_after(index), membership)
            || allows(visibility, after_membership)
    }

    fn seen_by(&self, user: &str) -> Vec<&str> {
        let indices = (0..self.0.len()).filter(|index| self.may_see(*index, user));
        indices.map(|index| id(&self.0[index])).collect()
    }

    fn now(&self, user: &str) -> &str {
        self.membership_after(self.0.len() - 1, user)
    }

    fn was_joined(&self, user: &str) -> bool {
        (0..self.0.len()).any(|index| self.membership_after(index, user) == "join")
    }

    /// Whether the user may read the room's timeline at all.
    fn may_read(&self, user: &str) -> bool {
        let left = matches!(self.now(user), "leave" | "ban") && self.was_joined(user);
        self.now(user) == "join" || left || self.visibility_after(self.0.len() - 1) == "world_readable"
    }
}

fn id(event: &Value) -> &str {
    event["event_id"].as_str().unwrap()
}

fn ids(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(id).collect()
}

/// One reader's answers.
struct Reader<'a> {
    client: &'a Client,
    room_id: &'a str,
    model: &'a Model,
    seen: Vec<&'a str>,
}

impl Reader<'_> {
    fn get(&self, rest: &str) -> (u16, Value) {
        self.client.request("GET", &path(self.room_id, rest), Value::Null)
    }

    fn check(&self) {
        self.check_single_events();
        self.check_timeline();
        self.check_relations();
        self.check_threads();
        self.check_times();
        self.check_search();
        self.check_sync();
    }

    fn check_single_events(&self) {
        let seen: BTreeSet<&str> = self.seen.iter().copied().collect();
        for event in self.model.0.iter().map(id) {
            let expected = if seen.contains(event) { 200 } else { 404 };
            assert_eq!(self.get(&format!("event/{}", segment(event))).0, expected, "{event}");
        }
        for (index, event) in self.model.0.iter().map(id).enumerate().step_by(5) {
            let (status, context) = self.get(&format!("context/{}?limit=4", segment(event)));
            let Some(place) = self.seen.iter().position(|seen| *seen == event) else {
                assert_eq!(status, 404, "{index}");
                continue;
            };
            let mut before = self.seen[place.saturating_sub(2)..place].to_vec();
            before.reverse();
            let after = &self.seen[place + 1..self.seen.len().min(place + 3)];
            assert_eq!(ids(&context["events_before"]), before);
            assert_eq!(ids(&context["events_after"]), after);
        }
    }

    fn check_timeline(&self) {
        let (status, page) = self.get("messages?dir=b&limit=1000");
        if !self.model.may_read(&self.client.user_id) {
            assert_eq!(status, 403, "{page}");
            return;
        }
        let mut seen = self.seen.clone();
        assert_eq!(ids(&self.get("messages?dir=f&limit=1000").1["chunk"]), seen);
        seen.reverse();
        assert_eq!(ids(&page["chunk"]), seen);
    }

    fn check_relations(&self) {
        let Some(parent) = self.model.0.iter().find(|event| event["type"] == "m.room.message") else {
            return;
        };
        let target = path(self.room_id, &format!("relations/{}?dir=f&limit=100", segment(id(parent))));
        let (status, page) = self.client.request("GET", &target.replacen("v3", "v1", 1), Value::Null);
        if !self.model.may_read(&self.client.user_id) || !self.seen.contains(&id(parent)) {
            assert!(matches!(status, 403 | 404), "{page}");
            return;
        }
        let related =
            self.messages().into_iter().filter(|event| self.relation(event)["event_id"] == id(parent));
        assert_eq!(ids(&page["chunk"]), related.take(100).collect::<Vec<_>>());
    }

    /// How an event relates to another.
    fn relation(&self, event: &str) -> &Value {
        let event = self.model.0.iter().find(|known| id(known) == event).unwrap();
        &event["content"]["m.relates_to"]
    }

    /// Threads whose root may be seen, that with the latest event of all first; and of those in them, the latest that
    /// may be seen.
    fn check_threads(&self) {
        let target = path(self.room_id, "threads?limit=100").replacen("v3", "v1", 1);
        let (status, page) = self.client.request("GET", &target, Value::Null);
        if !self.model.may_read(&self.client.user_id) {
            assert_eq!(status, 403, "{page}");
            return;
        }
        let mut roots: Vec<&str> = Vec::new();
        let replies = self
            .model
            .0
            .iter()
            .rev()
            .filter(|event| event["content"]["m.relates_to"]["rel_type"] == "m.thread");
        for reply in replies {
            let root = reply["content"]["m.relates_to"]["event_id"].as_str().unwrap();
            if self.seen.contains(&root) && !roots.contains(&root) {
                roots.push(root);
            }
        }
        assert_eq!(ids(&page["chunk"]), roots);
        for root in page["chunk"].as_array().unwrap() {
            let is_in = |event: &&&str| {
                let relation = self.relation(event);
                relation["rel_type"] == "m.thread" && relation["event_id"] == root["event_id"]
            };
            let latest = self.seen.iter().rev().find(is_in);
            let shown = &root["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"];
            assert_eq!(shown.as_str(), latest.copied(), "{root}");
        }
    }

    /// The event nearest to a time is the nearest that may be seen.
    fn check_times(&self) {
        for (index, event) in self.model.0.iter().enumerate().skip(7).step_by(9) {
            let target = format!("timestamp_to_event?ts={}&dir=f", event["origin_server_ts"]);
            let target = path(self.room_id, &target).replacen("v3", "v1", 1);
            let (status, found) = self.client.request("GET", &target, Value::Null);
            let next =
                (index..self.model.0.len()).find(|index| self.seen.contains(&id(&self.model.0[*index])));
            match next {
                _ if !self.model.may_read(&self.client.user_id) => assert_eq!(status, 403),
                None => assert_eq!(status, 404),
                Some(next) => assert_eq!(id(&found), id(&self.model.0[next])),
            }
        }
    }

    /// The messages that the reader may see.
    fn messages(&self) -> Vec<&str> {
        let events: BTreeMap<&str, &Value> = self.model.0.iter().map(|event| (id(event), event)).collect();
        self.seen.iter().filter(|event| events[*event]["type"] == "m.room.message").copied().collect()
    }

    fn check_search(&self) {
        let filter = json!({"limit": 100, "rooms": [self.room_id]});
        let criteria = json!({"search_term": "word", "order_by": "recent", "filter": filter});
        let body = json!({"search_categories": {"room_events": criteria}});
        let answer = self.client.ok("POST", "/_matrix/client/v3/search", body);
        let answer = &answer["search_categories"]["room_events"];
        let results = answer["results"].as_array().unwrap();
        let found: Vec<&str> = results.iter().map(|result| id(&result["result"])).collect();
        // Rooms that the user is in, or was; not those to which they are invited.
        let is_searched = matches!(self.model.now(&self.client.user_id), "join" | "leave" | "ban");
        let mut expected = if is_searched { self.messages() } else { Vec::new() };
        expected.reverse();
        assert!(answer["count"].as_u64().unwrap() <= expected.len() as u64);
        assert_eq!(found, expected[..expected.len().min(100)]);
    }

    fn check_sync(&self) {
        let filter = r#"{"room":{"include_leave":true,"timeline":{"limit":1000}}}"#;
        let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let target = format!("/_matrix/client/v3/sync?filter={filter}");
        let answer = self.client.ok("GET", &target, Value::Null);
        let section = match self.model.now(&self.client.user_id) {
            "join" => "join",
            "leave" | "ban" => "leave",
            _ => return,
        };
        let room = &answer["rooms"][section][self.room_id];
        if !self.model.was_joined(&self.client.user_id) && room.is_null() {
            return;
        }
        // A room that was left ends there.
        let own =
            |event: &Value| event["type"] == "m.room.member" && event["state_key"] == *self.client.user_id;
        let last_own = self.model.0.iter().rposition(own).unwrap();
        let end = if section == "join" { self.model.0.len() } else { last_own + 1 };
        let until: BTreeSet<&str> = self.model.0[..end].iter().map(id).collect();
        let expected: Vec<&str> = self.seen.iter().filter(|event| until.contains(*event)).copied().collect();
        let mut timeline = ids(&room["timeline"]["events"]);
        // Who is put out hears of that in any case.
        if section == "leave" && timeline.last() != expected.last() {
            assert_eq!(timeline.pop(), Some(id(&self.model.0[last_own])));
        }
        assert!(!timeline.is_empty() || expected.is_empty());
        assert_eq!(timeline, expected[expected.len() - timeline.len()..]);
    }
}

#[test]
fn every_way_of_reading_shows_what_the_history_visibility_allows() {
    let owner = Client::registered("owner");
    let others = ["bob", "carol", "dave"].map(|name| owner.register(name));
    let stranger = owner.register("stranger");
    for (seed, steps) in [(1, 60), (2, 60), (3, 60), (4, 60), (5, 60), (6, 60), (7, 250)] {
        let room_id = live(&owner, &others, &mut Dice(seed), steps);
        let all = owner.ok("GET", &path(&room_id, "messages?dir=f&limit=1000"), Value::Null);
        let model = Model(all["chunk"].as_array().unwrap().clone());
        for client in others.iter().chain([&owner, &stranger]) {
            let seen = model.seen_by(&client.user_id);
            Reader { client, room_id: &room_id, model: &model, seen }.check();
        }
    }
}

/// What becomes of a membership that has ended: the owner, the former member, the room.
type Sequel = fn(&Client, &Client, &str);

#[test]
fn who_left_sees_no_later_state_whatever_becomes_of_their_membership() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let sequels: [Sequel; 3] = [
        |_, bob, room_id| {
            bob.ok("POST", &format!("/_matrix/client/v3/knock/{room_id}"), json!({}));
            bob.ok("POST", &path(room_id, "leave"), json!({}));
        },
        |alice, bob, room_id| {
            alice.ok("POST", &path(room_id, "invite"), json!({"user_id": bob.user_id}));
            bob.ok("POST", &path(room_id, "leave"), json!({}));
        },
        |alice, bob, room_id| {
            alice.ok("POST", &path(room_id, "ban"), json!({"user_id": bob.user_id}));
        },
    ];
    for sequel in sequels {
        let rule = json!({"type": "m.room.join_rules", "content": {"join_rule": "knock"}});
        let room_id =
            create(&alice, json!({"topic": "then", "initial_state": [rule], "invite": [bob.user_id]}));
        bob.ok("POST", &path(&room_id, "join"), json!({}));
        bob.ok("POST", &path(&room_id, "leave"), json!({}));
        alice.ok("PUT", &path(&room_id, "state/m.room.topic"), json!({"topic": "now"}));
        sequel(&alice, &bob, &room_id);
        let topic = bob.ok("GET", &path(&room_id, "state/m.room.topic"), Value::Null);
        assert_eq!(topic["topic"], "then");
        let members = bob.ok("GET", &path(&room_id, "members"), Value::Null);
        let own = |event: &&Value| event["state_key"] == *bob.user_id;
        let own = members["chunk"].as_array().unwrap().iter().find(own).unwrap().clone();
        assert_eq!((&own["content"]["membership"], &own["sender"]), (&json!("leave"), &json!(bob.user_id)));
    }
}
