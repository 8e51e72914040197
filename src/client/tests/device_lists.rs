//! What clients that follow only `/sync` know of the devices of those with whom they share rooms, against what is true.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_durable_objects::rpc::{Command, remote_server::SendEdus};
use serde_json::{Value, json};

use crate::testing::{Client, Neighbours};

/// By user: the public keys of their devices.
type Devices = BTreeMap<String, BTreeMap<String, Value>>;

/// A user, and what their first client knows.
struct Follower {
    client: Client,
    /// Devices that can be logged out.
    others: Vec<Client>,
    since: String,
    known: Devices,
    /// Whom to ask about again, for their server did not answer.
    open: BTreeSet<String>,
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
}

impl Follower {
    fn new(server: &Client, name: &str) -> Self {
        let client = server.register(name);
        let since = client.ok("GET", "/_matrix/client/v3/sync", Value::Null)["next_batch"].clone();
        let since = since.as_str().unwrap().to_owned();
        Self { client, others: Vec::new(), since, known: Devices::new(), open: BTreeSet::new() }
    }

    fn upload(client: &Client, seed: u64) {
        let device = &client.device_id;
        let keys = json!({
            "user_id": client.user_id,
            "device_id": device,
            "algorithms": ["m.megolm.v1.aes-sha2"],
            "keys": {format!("ed25519:{device}"): seed.to_string()},
            "signatures": {},
        });
        client.ok("POST", "/_matrix/client/v3/keys/upload", json!({"device_keys": keys}));
    }

    /// What the user's own server, asked by `client`, says of the user's devices; `None` when it does not answer.
    fn devices(client: &Client, user_id: &str) -> Option<BTreeMap<String, Value>> {
        let body = json!({"device_keys": {user_id: []}});
        let mut answer = client.ok("POST", "/_matrix/client/v3/keys/query", body);
        if answer["failures"].as_object().is_some_and(|failures| !failures.is_empty()) {
            return None;
        }
        let devices = answer["device_keys"][user_id].take();
        let devices = devices.as_object().unwrap().iter();
        Some(devices.map(|(id, keys)| (id.clone(), keys["keys"][format!("ed25519:{id}")].clone())).collect())
    }

    /// Syncs; whether there was something of interest.
    fn sync(&mut self) -> bool {
        let target = format!("/_matrix/client/v3/sync?since={}", self.since);
        let answer = self.client.ok("GET", &target, Value::Null);
        answer["next_batch"].as_str().unwrap().clone_into(&mut self.since);
        let (changed, left) = (&answer["device_lists"]["changed"], &answer["device_lists"]["left"]);
        let (changed, left) = (names(changed), names(left));
        let is_any = !changed.is_empty() || !left.is_empty() || !self.open.is_empty();
        self.open.extend(changed);
        for user_id in left {
            self.open.remove(&user_id);
            self.known.remove(&user_id);
        }
        for user_id in std::mem::take(&mut self.open) {
            match Self::devices(&self.client, &user_id) {
                Some(devices) => {
                    self.known.insert(user_id, devices);
                }
                None => {
                    self.open.insert(user_id);
                }
            }
        }
        is_any
    }

    /// With whom the user shares rooms.
    fn others_in_rooms(&self) -> BTreeSet<String> {
        let rooms = self.client.ok("GET", "/_matrix/client/v3/joined_rooms", Value::Null);
        let members = names(&rooms["joined_rooms"]).into_iter().flat_map(|room| {
            let target = format!("/_matrix/client/v3/rooms/{room}/joined_members");
            let members = self.client.ok("GET", &target, Value::Null);
            members["joined"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        });
        members.filter(|member| *member != self.client.user_id).collect()
    }
}

/// A source of choices: the same for the same seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap().checked_rem(end).unwrap()
    }
}

fn encrypted_room(client: &Client) -> String {
    let encryption = json!({"algorithm": "m.megolm.v1.aes-sha2"});
    let state = json!([{"type": "m.room.encryption", "state_key": "", "content": encryption}]);
    let body = json!({"preset": "public_chat", "initial_state": state});
    let room = client.ok("POST", "/_matrix/client/v3/createRoom", body);
    room["room_id"].as_str().unwrap().to_owned()
}

/// One thing that happens. What cannot be done is refused, and changes nothing.
fn step(choices: &mut Choices, neighbours: &Neighbours, followers: &mut [Follower], rooms: &[String]) {
    let who = choices.below(followers.len());
    let room = &rooms[choices.below(rooms.len())];
    let follower = &mut followers[who];
    match choices.below(13) {
        0..=2 => {
            let target = format!("/_matrix/client/v3/join/{room}?via=one.test&via=two.test");
            follower.client.request("POST", &target, json!({}));
        }
        3..=4 => {
            follower.client.request("POST", &format!("/_matrix/client/v3/rooms/{room}/leave"), json!({}));
        }
        5 => Follower::upload(&follower.client, choices.0),
        6 => {
            let other = follower.client.log_in_again();
            Follower::upload(&other, choices.0);
            follower.others.push(other);
        }
        7 => {
            if let Some(other) = follower.others.pop() {
                other.ok("POST", "/_matrix/client/v3/logout", json!({}));
            }
        }
        8..=9 => {
            follower.sync();
        }
        10 => neighbours.cut(choices.below(2) == 0),
        11 => follower.client.world.restart(),
        _ => neighbours.settle(),
    }
}

fn story(seed: u64) {
    let neighbours = Neighbours::new();
    let [one, two] = &neighbours.clients;
    let mut followers = vec![
        Follower::new(one, "alice"),
        Follower::new(one, "carol"),
        Follower::new(two, "bob"),
        Follower::new(two, "dave"),
    ];
    let rooms = [
        encrypted_room(&followers[0].client),
        encrypted_room(&followers[2].client),
        encrypted_room(&followers[1].client),
    ];
    let mut choices = Choices(seed);
    for _ in 0..60 {
        // State resolution tells events apart by their time.
        neighbours.pass(1_000);
        step(&mut choices, &neighbours, &mut followers, &rooms);
    }
    neighbours.cut(false);
    for _ in 0..3 {
        neighbours.pass(3_600_000);
        neighbours.settle();
    }
    for follower in &mut followers {
        while follower.sync() {}
    }
    for follower in &followers {
        let shared = follower.others_in_rooms();
        let others = followers.iter().map(|other| &other.client);
        let expected: Devices = others
            .filter(|other| shared.contains(&other.user_id))
            .map(|other| (other.user_id.clone(), Follower::devices(other, &other.user_id).unwrap()))
            .collect();
        let mut known = follower.known.clone();
        known.remove(&follower.client.user_id);
        assert_eq!(known, expected, "what {} knows, after seed {seed}", follower.client.user_id);
    }
}

#[test]
fn a_client_that_follows_sync_ends_with_the_true_devices_of_whom_it_shares_a_room_with() {
    for seed in 0..8 {
        story(seed);
    }
}

/// `alice` of `one.test` and `bob` of `two.test`, who share a room; bob's server remembers alice's devices.
fn acquainted() -> (Neighbours, Client, Client) {
    let neighbours = Neighbours::new();
    let [one, two] = &neighbours.clients;
    let (alice, bob) = (one.register("alice"), two.register("bob"));
    let room = encrypted_room(&alice);
    bob.ok("POST", &format!("/_matrix/client/v3/join/{room}?via=one.test"), json!({}));
    Follower::upload(&alice, 1);
    neighbours.settle();
    assert_eq!(Follower::devices(&bob, &alice.user_id), Some(one_device(&alice, 1)));
    // What was asked for first has no place among the updates. After one, the whole list is asked for.
    Follower::upload(&alice, 2);
    neighbours.settle();
    assert_eq!(Follower::devices(&bob, &alice.user_id), Some(one_device(&alice, 2)));
    (neighbours, alice, bob)
}

fn one_device(client: &Client, seed: u64) -> BTreeMap<String, Value> {
    BTreeMap::from([(client.device_id.clone(), json!(seed.to_string()))])
}

#[test]
fn updates_of_another_server_are_applied_without_asking_it() {
    let (neighbours, alice, bob) = acquainted();
    let other = alice.log_in_again();
    for step in 3..6 {
        Follower::upload(&alice, step);
        Follower::upload(&other, 10 * step);
        neighbours.settle();
        neighbours.cut(true);
        let mut expected = one_device(&alice, step);
        expected.extend(one_device(&other, 10 * step));
        assert_eq!(Follower::devices(&bob, &alice.user_id), Some(expected));
        neighbours.cut(false);
    }
    other.ok("POST", "/_matrix/client/v3/logout", json!({}));
    neighbours.settle();
    neighbours.cut(true);
    assert_eq!(Follower::devices(&bob, &alice.user_id), Some(one_device(&alice, 5)));
}

#[test]
fn after_a_gap_in_the_updates_of_another_server_it_is_asked_for_all_devices() {
    let (neighbours, alice, bob) = acquainted();
    let update = |stream_id: u32, prev_id: u32| {
        let content = json!({
            "user_id": alice.user_id, "device_id": "LOST", "stream_id": stream_id, "prev_id": [prev_id], "deleted": true,
        });
        neighbours.send_edu(0, "m.device_list_update", &content);
    };
    update(1_000, 999);
    neighbours.cut(true);
    assert_eq!(Follower::devices(&bob, &alice.user_id), None, "stale keys are not shown");
    neighbours.cut(false);
    assert_eq!(Follower::devices(&bob, &alice.user_id), Some(one_device(&alice, 2)));
    neighbours.cut(true);
    assert_eq!(Follower::devices(&bob, &alice.user_id), Some(one_device(&alice, 2)), "remembered again");
}

#[test]
fn a_server_is_told_of_the_devices_of_who_joins_a_room_unless_it_follows_them() {
    let neighbours = Neighbours::new();
    let [one, two] = &neighbours.clients;
    let (alice, bob) = (one.register("alice"), two.register("bob"));
    let was_told = |room: &str| {
        neighbours.settle();
        one.world.take_calls();
        alice.ok("POST", &format!("/_matrix/client/v3/join/{room}?via=two.test"), json!({}));
        neighbours.settle();
        one.world.take_calls().iter().any(|(_, op)| *op == SendEdus::OP)
    };
    let (first, second) = (encrypted_room(&bob), encrypted_room(&bob));
    assert!(was_told(&first));
    assert!(!was_told(&second), "the first room does");
    for room in [&first, &second] {
        alice.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/leave"), json!({}));
    }
    assert!(was_told(&second), "they shared no room any more");
}
