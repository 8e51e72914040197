//! `/sync`, as clients see it.

use selvedge_durable_objects::platform::{ActorKind, ActorName};
use serde_json::{Value, json};

use crate::testing::{Client, Pending};

const SYNC: &str = "/_matrix/client/v3/sync";

/// A client that follows `/sync`.
struct Follower {
    client: Client,
    since: String,
}

impl Follower {
    fn new(client: Client) -> Self {
        let since = client.ok("GET", SYNC, Value::Null)["next_batch"].as_str().unwrap().to_owned();
        Self { client, since }
    }

    fn next(&mut self) -> Value {
        let answer = self.client.ok("GET", &format!("{SYNC}?since={}", self.since), Value::Null);
        self.since = answer["next_batch"].as_str().unwrap().to_owned();
        answer
    }

    fn wait(&self) -> Pending {
        self.client.begin("GET", &format!("{SYNC}?since={}&timeout=30000", self.since))
    }
}

fn create_room(client: &Client, body: Value) -> String {
    // Rooms cannot be made as fast as tests would like.
    client.world.advance(5_000);
    client.ok("POST", "/_matrix/client/v3/createRoom", body)["room_id"].as_str().unwrap().to_owned()
}

fn send(client: &Client, room: &str, txn: &str) -> String {
    let target = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
    let answer = client.ok("PUT", &target, json!({"msgtype": "m.text", "body": txn}));
    answer["event_id"].as_str().unwrap().to_owned()
}

fn join(client: &Client, room: &str) {
    client.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({}));
}

fn bodies(section: &Value) -> Vec<&str> {
    let events = section["timeline"]["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[test]
fn two_users_chat() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room = create_room(&alice, json!({"invite": [bob.user_id]}));
    let mut alice = Follower::new(alice);
    let first = bob.ok("GET", SYNC, Value::Null);
    let invite = &first["rooms"]["invite"][&room]["invite_state"]["events"];
    assert!(invite.as_array().unwrap().iter().any(|event| event["type"] == "m.room.member"), "{first}");
    join(&bob, &room);
    let mut bob = Follower { since: first["next_batch"].as_str().unwrap().to_owned(), client: bob };
    let joined = bob.next();
    assert_eq!(joined["rooms"]["join"][&room]["timeline"]["limited"], true, "{joined}");
    assert_eq!(joined["rooms"]["join"][&room]["summary"]["m.joined_member_count"], 2);
    send(&alice.client, &room, "hello");
    assert_eq!(bodies(&bob.next()["rooms"]["join"][&room]), ["hello"]);
    send(&bob.client, &room, "hi");
    let answer = alice.next();
    assert_eq!(bodies(&answer["rooms"]["join"][&room]), ["hello", "hi"]);
    assert!(alice.next().get("rooms").is_none());
}

#[test]
fn a_client_that_waits_hears_at_once() {
    let alice = Client::registered("alice");
    let room = create_room(&alice, json!({"preset": "public_chat"}));
    let bob = alice.register("bob");
    join(&bob, &room);
    let mut bob = Follower::new(bob);
    bob.next();
    let waiting = bob.wait();
    assert!(waiting.take().is_none());
    send(&alice, &room, "hello");
    let (status, answer) = waiting.take().unwrap();
    assert_eq!((status, bodies(&answer["rooms"]["join"][&room])), (200, vec!["hello"]));
    let actor = ActorName { kind: ActorKind::User, name: "bob".to_owned() };
    assert_eq!(alice.world.waiting_at(&actor), 0);
}

#[test]
fn a_client_that_waits_in_vain_gets_a_token_to_go_on_from() {
    let alice = Client::registered("alice");
    let follower = Follower::new(alice);
    let waiting = follower.wait();
    follower.client.world.advance(30_000);
    follower.client.world.settle();
    let (status, answer) = waiting.take().unwrap();
    assert_eq!(status, 200);
    follower.client.ok(
        "GET",
        &format!("{SYNC}?since={}", answer["next_batch"].as_str().unwrap()),
        Value::Null,
    );
}

#[test]
fn who_logs_out_does_not_go_on_waiting() {
    let alice = Client::registered("alice");
    let follower = Follower::new(alice);
    let waiting = follower.wait();
    follower.client.ok("POST", "/_matrix/client/v3/logout", json!({}));
    let (status, answer) = waiting.take().unwrap();
    assert_eq!((status, answer["errcode"].as_str()), (401, Some("M_UNKNOWN_TOKEN")));
}

#[test]
fn leaving_shows_the_room_once_more() {
    let alice = Client::registered("alice");
    let room = create_room(&alice, json!({}));
    let mut alice = Follower::new(alice);
    alice.client.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/leave"), json!({}));
    let answer = alice.next();
    assert!(answer["rooms"]["leave"][&room]["timeline"]["events"].is_array(), "{answer}");
    assert!(alice.next().get("rooms").is_none());
    let filter = "%7B%22room%22%3A%7B%22include_leave%22%3Atrue%7D%7D";
    let answer = alice.client.ok("GET", &format!("{SYNC}?filter={filter}"), Value::Null);
    assert!(answer["rooms"]["leave"].get(&room).is_some(), "{answer}");
}

#[test]
fn what_does_not_name_a_filter_or_token_is_refused() {
    let alice = Client::registered("alice");
    for query in ["filter=99", "filter=%7Bnonsense", "since=nonsense", "since=s72594_4483_1934"] {
        alice.refused("GET", &format!("{SYNC}?{query}"), Value::Null, 400, "M_INVALID_PARAM");
    }
    let stranger = Client { token: None, ..alice };
    stranger.refused("GET", SYNC, Value::Null, 401, "M_MISSING_TOKEN");
}

#[test]
fn more_rooms_than_a_token_carries_are_followed() {
    let alice = Client::registered("alice");
    let rooms: Vec<String> =
        (0..205).map(|_| create_room(&alice, json!({"preset": "public_chat"}))).collect();
    let mut alice = Follower::new(alice);
    send(&alice.client, &rooms[7], "hello");
    let answer = alice.next();
    assert_eq!(answer["rooms"]["join"].as_object().unwrap().len(), 1);
    let part = &answer["rooms"]["join"][&rooms[7]];
    assert_eq!(part["timeline"]["events"].as_array().unwrap().len(), 1);
}

fn ephemeral<'a>(section: &'a Value, kind: &str) -> Option<&'a Value> {
    let events = section["ephemeral"]["events"].as_array()?;
    events.iter().find(|event| event["type"] == kind).map(|event| &event["content"])
}

/// Two followers who are in a room together, and the room.
fn pair() -> (Follower, Follower, String) {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room = create_room(&alice, json!({"preset": "public_chat"}));
    join(&bob, &room);
    let (mut alice, bob) = (Follower::new(alice), Follower::new(bob));
    // That bob is online.
    alice.next();
    (alice, bob, room)
}

#[test]
fn who_types_is_seen_until_they_stop() {
    let (mut alice, bob, room) = pair();
    let path = format!("/_matrix/client/v3/rooms/{room}/typing/{}", bob.client.user_id);
    let waiting = alice.wait();
    bob.client.ok("PUT", &path, json!({"typing": true, "timeout": 10_000}));
    let (_, answer) = waiting.take().unwrap();
    let typing = ephemeral(&answer["rooms"]["join"][&room], "m.typing").unwrap();
    assert_eq!(typing["user_ids"], json!([bob.client.user_id]));
    alice.since = answer["next_batch"].as_str().unwrap().to_owned();
    let waiting = alice.wait();
    assert!(waiting.take().is_none(), "nothing has changed");
    alice.client.world.advance(10_001);
    alice.client.world.settle();
    let (_, answer) = waiting.take().unwrap();
    let typing = ephemeral(&answer["rooms"]["join"][&room], "m.typing").unwrap();
    assert_eq!(typing["user_ids"], json!([]));
    alice.client.refused("PUT", &path, json!({"typing": true, "timeout": 1}), 403, "M_FORBIDDEN");
    let stranger = alice.client.register("stranger");
    let own = format!("/_matrix/client/v3/rooms/{room}/typing/{}", stranger.user_id);
    stranger.refused("PUT", &own, json!({"typing": true, "timeout": 1}), 403, "M_FORBIDDEN");
}

#[test]
fn receipts_reach_whom_they_concern() {
    let (mut alice, mut bob, room) = pair();
    let event = send(&alice.client, &room, "hello");
    alice.next();
    bob.next();
    let receipt = |kind: &str| format!("/_matrix/client/v3/rooms/{room}/receipt/{kind}/{event}");
    bob.client.ok("POST", &receipt("m.read.private"), json!({}));
    assert!(alice.next().get("rooms").is_none());
    let answer = bob.next();
    let own = ephemeral(&answer["rooms"]["join"][&room], "m.receipt").unwrap();
    assert!(own[&event]["m.read.private"][&bob.client.user_id]["ts"].is_u64());
    bob.client.ok("POST", &receipt("m.read"), json!({"thread_id": "main"}));
    let answer = alice.next();
    let shown = ephemeral(&answer["rooms"]["join"][&room], "m.receipt").unwrap();
    assert_eq!(shown[&event]["m.read"][&bob.client.user_id]["thread_id"], "main");
    assert!(shown[&event].get("m.read.private").is_none());
    bob.client.ok("POST", &receipt("m.fully_read"), json!({}));
    let answer = bob.next();
    let data = answer["rooms"]["join"][&room]["account_data"]["events"].as_array().unwrap();
    assert!(data.contains(&json!({"type": "m.fully_read", "content": {"event_id": event}})), "{answer}");
}

#[test]
fn a_receipt_must_fit_its_event() {
    let (alice, bob, room) = pair();
    let event = send(&alice.client, &room, "hello");
    let receipt = |kind: &str, event: &str| format!("/_matrix/client/v3/rooms/{room}/receipt/{kind}/{event}");
    let refused = |kind: &str, event: &str, body: Value, status: u16, code: &str| {
        bob.client.refused("POST", &receipt(kind, event), body, status, code);
    };
    refused("m.read", "$unknown", json!({}), 404, "M_NOT_FOUND");
    refused("m.other", &event, json!({}), 400, "M_INVALID_PARAM");
    refused("m.read", &event, json!({"thread_id": ""}), 400, "M_INVALID_PARAM");
    refused("m.read", &event, json!({"thread_id": "$other"}), 400, "M_INVALID_PARAM");
    refused("m.fully_read", &event, json!({"thread_id": "main"}), 400, "M_INVALID_PARAM");
    let stranger = bob.client.register("stranger");
    stranger.refused("POST", &receipt("m.read", &event), json!({}), 403, "M_FORBIDDEN");
}

#[test]
fn read_markers_set_receipts_too() {
    let (alice, mut bob, room) = pair();
    let event = send(&alice.client, &room, "hello");
    bob.next();
    let body = json!({"m.fully_read": event, "m.read": event, "m.read.private": event});
    bob.client.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/read_markers"), body);
    let answer = bob.next();
    let section = &answer["rooms"]["join"][&room];
    let receipts = &ephemeral(section, "m.receipt").unwrap()[&event];
    assert!(receipts["m.read"].is_object() && receipts["m.read.private"].is_object());
    assert_eq!(section["account_data"]["events"][0]["type"], "m.fully_read");
    let again = json!({"m.read": event});
    bob.client.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/read_markers"), again);
    assert!(bob.next().get("rooms").is_none(), "the same receipt again is no news");
}
