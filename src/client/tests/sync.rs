//! `/sync`, as clients see it.

use selvedge_durable_objects::{
    ledger,
    platform::{ActorKind, ActorName},
};
use serde_json::{Value, json};

use crate::testing::{Client, PASSWORD, Pending};

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
fn whose_device_logs_in_anew_does_not_go_on_waiting() {
    let follower = Follower::new(Client::registered("alice"));
    let waiting = follower.wait();
    let Client { user_id, device_id, .. } = &follower.client;
    let identifier = json!({"type": "m.id.user", "user": user_id});
    let login = json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD, "device_id": device_id});
    follower.client.ok("POST", "/_matrix/client/v3/login", login);
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
fn who_types_anew_for_a_shorter_time_stops_when_it_is_over() {
    let (mut alice, bob, room) = pair();
    let path = format!("/_matrix/client/v3/rooms/{room}/typing/{}", bob.client.user_id);
    for body in [
        json!({"typing": true, "timeout": 30_000}),
        json!({"typing": false}),
        json!({"typing": true, "timeout": 300}),
    ] {
        bob.client.ok("PUT", &path, body);
    }
    alice.next();
    let waiting = alice.wait();
    alice.client.world.advance(301);
    alice.client.world.settle();
    let (_, answer) = waiting.take().unwrap();
    let typing = ephemeral(&answer["rooms"]["join"][&room], "m.typing").unwrap();
    assert_eq!(typing["user_ids"], json!([]));
}

#[test]
fn who_leaves_types_no_more() {
    let (mut alice, bob, room) = pair();
    let path = format!("/_matrix/client/v3/rooms/{room}/typing/{}", bob.client.user_id);
    bob.client.ok("PUT", &path, json!({"typing": true, "timeout": 30_000}));
    alice.next();
    bob.client.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/leave"), json!({}));
    let answer = alice.next();
    let typing = ephemeral(&answer["rooms"]["join"][&room], "m.typing").unwrap();
    assert_eq!(typing["user_ids"], json!([]));
}

#[test]
fn that_nobody_types_any_more_is_told_by_a_token_from_before() {
    let (mut alice, bob, room) = pair();
    let path = format!("/_matrix/client/v3/rooms/{room}/typing/{}", bob.client.user_id);
    let before = alice.since.clone();
    bob.client.ok("PUT", &path, json!({"typing": true, "timeout": 10_000}));
    alice.next();
    bob.client.ok("PUT", &path, json!({"typing": false}));
    alice.since = before;
    let answer = alice.next();
    let typing = ephemeral(&answer["rooms"]["join"][&room], "m.typing").unwrap();
    assert_eq!(typing["user_ids"], json!([]));
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

/// Sends a message with more members in its content.
fn send_with(client: &Client, room: &str, txn: &str, more: &Value) -> String {
    let mut content = json!({"msgtype": "m.text", "body": txn});
    content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let target = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}");
    client.ok("PUT", &target, content)["event_id"].as_str().unwrap().to_owned()
}

fn in_thread(root: &str) -> Value {
    json!({"m.relates_to": {"rel_type": "m.thread", "event_id": root}})
}

/// Highlights and notifications.
fn counts(counts: &Value) -> (u64, u64) {
    (counts["highlight_count"].as_u64().unwrap(), counts["notification_count"].as_u64().unwrap())
}

impl Follower {
    fn unread(&self, room: &str) -> (u64, u64) {
        let answer = self.client.ok("GET", &format!("{SYNC}?since={}", self.since), Value::Null);
        counts(&answer["rooms"]["join"][room]["unread_notifications"])
    }

    /// The counts of the main timeline, and of a thread if there are any.
    fn unread_by_thread(&self, room: &str, root: &str) -> ((u64, u64), Option<(u64, u64)>) {
        let filter = "%7B%22room%22:%7B%22timeline%22:%7B%22unread_thread_notifications%22:true%7D%7D%7D";
        let target = format!("{SYNC}?since={}&filter={filter}", self.since);
        let answer = self.client.ok("GET", &target, Value::Null);
        let section = &answer["rooms"]["join"][room];
        let thread = &section["unread_thread_notifications"][root];
        (counts(&section["unread_notifications"]), thread.is_object().then(|| counts(thread)))
    }

    fn read(&self, room: &str, event: &str, thread: Option<&str>) {
        let body = thread.map_or_else(|| json!({}), |thread| json!({"thread_id": thread}));
        let target = format!("/_matrix/client/v3/rooms/{room}/receipt/m.read/{event}");
        self.client.ok("POST", &target, body);
    }
}

#[test]
fn unread_events_are_counted_by_thread_until_they_are_read() {
    let (alice, bob, room) = pair();
    let alice = alice.client;
    let root = send(&alice, &room, "root");
    let first = send_with(&alice, &room, "first", &in_thread(&root));
    let mention = json!({"m.mentions": {"user_ids": [bob.client.user_id]}});
    let main = send_with(&alice, &room, "main", &mention);
    let mut in_thread = in_thread(&root);
    in_thread.as_object_mut().unwrap().extend(mention.as_object().unwrap().clone());
    send_with(&alice, &room, "second", &in_thread);
    assert_eq!(bob.unread(&room), (2, 4));
    assert_eq!(bob.unread_by_thread(&room, &root), ((1, 2), Some((1, 2))));
    bob.read(&room, &root, Some("main"));
    assert_eq!(bob.unread_by_thread(&room, &root), ((1, 1), Some((1, 2))));
    bob.read(&room, &first, Some(&root));
    assert_eq!(bob.unread_by_thread(&room, &root), ((1, 1), Some((1, 1))));
    bob.read(&room, &main, None);
    assert_eq!(bob.unread_by_thread(&room, &root), ((0, 0), Some((1, 1))));
    assert_eq!(bob.unread(&room), (1, 1));
    bob.client.world.restart();
    assert_eq!(bob.unread(&room), (1, 1), "also after the room forgot");
    send_with(&bob.client, &room, "answer", &in_thread);
    assert_eq!(bob.unread(&room), (0, 0), "who answers has read");
}

#[test]
fn redacted_and_muted_events_are_not_counted() {
    let (alice, bob, room) = pair();
    let event = send(&alice.client, &room, "one");
    send(&alice.client, &room, "two");
    assert_eq!(bob.unread(&room), (0, 2));
    alice.client.ok("PUT", &format!("/_matrix/client/v3/rooms/{room}/redact/{event}/r"), json!({}));
    assert_eq!(bob.unread(&room), (0, 1));
    let rule = format!("/_matrix/client/v3/pushrules/global/room/{room}");
    bob.client.ok("PUT", &rule, json!({"actions": []}));
    send(&alice.client, &room, "three");
    assert_eq!(bob.unread(&room), (0, 1));
}

#[test]
fn many_unread_events_are_weighed_once() {
    let (alice, bob, room) = pair();
    for number in 0..150 {
        send(&alice.client, &room, &number.to_string());
    }
    assert_eq!(bob.unread(&room), (0, 150));
    bob.client.world.restart();
    let ((), cost) = bob.client.world.block_on(ledger::scoped(async {
        assert_eq!(bob.unread(&room), (0, 150));
    }));
    assert_eq!(cost.rows_written, 0);
    assert!(cost.rows_read < 80, "{cost:?}");
}
