//! What servers that are not what they claim to be get for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{cell::RefCell, rc::Rc};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderValue, Method, Request, header};
use ruma::{ServerName, signatures::Ed25519KeyPair};
use selvedge_durable_objects::{
    database::DatabaseExt,
    params,
    platform::{ActorKind, ActorName, FetchError, OutboundRequest, OutboundResponse},
    signing::key_pair,
};
use selvedge_protocol::event::sign_object;
use serde_json::{Value, json};

use crate::testing::{Client, Neighbours};

const PEER: &str = "b.test";
const OURS: &str = "selvedge.test";

fn key(seed: u8) -> Ed25519KeyPair {
    key_pair(&[seed; 32], "1".to_owned()).unwrap()
}

fn signed(json: &Value, server: &str, key: &Ed25519KeyPair) -> Value {
    let text = sign_object(&json.to_string(), <&ServerName>::try_from(server).unwrap(), key).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The keys that a server publishes.
fn published(server: &str, key: &Ed25519KeyPair, now: u64) -> Value {
    let keys = json!({
        "server_name": server,
        "valid_until_ts": now.saturating_add(3_600_000),
        "verify_keys": {"ed25519:1": {"key": STANDARD_NO_PAD.encode(key.public_key())}},
        "old_verify_keys": {},
    });
    signed(&keys, server, key)
}

/// This server, and others that publish keys.
struct Story {
    client: Client,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Story {
    /// `answers`: what the internet answers to a host and path.
    fn new(answers: impl Fn(&str, &str, u64) -> Option<Value> + 'static) -> Self {
        let client = Client::registered("alice");
        let asked: Rc<RefCell<Vec<String>>> = Rc::default();
        let (log, now) = (Rc::clone(&asked), client.world.now());
        client.world.connect(move |request| answer(&request, now, &log, &answers));
        Self { client, asked }
    }

    /// A peer that publishes its keys.
    fn honest() -> Self {
        Self::new(|host, path, now| (path == "/_matrix/key/v2/server").then(|| published(host, &key(1), now)))
    }

    /// Sends what a peer signed as `proof` says; status and body.
    fn send(&self, method: &str, target: &str, body: &Value, proof: &Proof) -> (u16, Value) {
        let mut signed_request = json!({
            "method": method, "uri": target, "origin": proof.origin, "destination": proof.destination,
        });
        if !body.is_null() {
            signed_request["content"] = proof.content.clone().unwrap_or_else(|| body.clone());
        }
        let signature =
            signed(&signed_request, proof.origin, &proof.key)["signatures"][proof.origin]["ed25519:1"]
                .as_str()
                .unwrap()
                .to_owned();
        let (origin, destination) = (proof.origin, proof.destination);
        let value = format!(
            "X-Matrix origin=\"{origin}\",destination=\"{destination}\",key=\"ed25519:1\",sig=\"{signature}\""
        );
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(target)
            .body(body)
            .unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
        self.client.exchange(request)
    }

    fn transact(&self, id: &str, body: &Value) -> (u16, Value) {
        self.send("PUT", &format!("/_matrix/federation/v1/send/{id}"), body, &Proof::honest())
    }

    fn count(&self, what: &str) -> usize {
        self.asked.borrow().iter().filter(|url| url.contains(what)).count()
    }
}

fn answer(
    request: &OutboundRequest,
    now: u64,
    log: &RefCell<Vec<String>>,
    answers: &impl Fn(&str, &str, u64) -> Option<Value>,
) -> Result<OutboundResponse, FetchError> {
    log.borrow_mut().push(request.url.clone());
    let url = request.url.strip_prefix("https://").unwrap_or(&request.url);
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let host = host.strip_suffix(":8448").unwrap_or(host);
    let answer = answers(host, &format!("/{path}"), now);
    let status = if answer.is_some() { 200 } else { 404 };
    Ok(OutboundResponse {
        status,
        headers: Vec::new(),
        body: answer.unwrap_or(Value::Null).to_string().into_bytes(),
    })
}

/// By whom a request is signed, and for whom.
struct Proof {
    origin: &'static str,
    destination: &'static str,
    key: Ed25519KeyPair,
    /// The content that was signed, if it is another than is sent.
    content: Option<Value>,
}

impl Proof {
    fn honest() -> Self {
        Self { origin: PEER, destination: OURS, key: key(1), content: None }
    }
}

fn transaction(origin: &str) -> Value {
    json!({"origin": origin, "origin_server_ts": 1, "pdus": [], "edus": []})
}

#[test]
fn a_request_is_believed_by_its_signature() {
    let story = Story::honest();
    assert_eq!(story.transact("1", &transaction(PEER)), (200, json!({"pdus": {}})));
}

#[test]
fn a_request_that_is_not_signed_as_it_must_be_is_refused() {
    let forgeries: [fn() -> Proof; 4] = [
        || Proof { key: key(2), ..Proof::honest() },
        || Proof { destination: "elsewhere.test", ..Proof::honest() },
        || Proof { content: Some(transaction("c.test")), ..Proof::honest() },
        || Proof { origin: OURS, ..Proof::honest() },
    ];
    for (index, forgery) in forgeries.into_iter().enumerate() {
        let story = Story::honest();
        let target = "/_matrix/federation/v1/send/1";
        let (status, body) = story.send("PUT", target, &transaction(PEER), &forgery());
        assert_eq!((status, &body["errcode"]), (401, &json!("M_UNAUTHORIZED")), "{index}: {body}");
    }
}

#[test]
fn a_transaction_is_of_who_sends_it() {
    let story = Story::honest();
    let (status, body) = story.transact("1", &transaction("c.test"));
    assert_eq!((status, &body["errcode"]), (403, &json!("M_FORBIDDEN")));
}

#[test]
fn a_transaction_with_too_much_in_it_is_refused() {
    let story = Story::honest();
    for (name, count) in [("pdus", 51), ("edus", 101)] {
        let mut body = transaction(PEER);
        body[name] = vec![json!({"edu_type": "m.typing", "content": {}}); count].into();
        assert_eq!(story.transact(name, &body).0, 400, "{name}");
    }
}

#[test]
fn a_transaction_that_comes_again_with_other_content_is_not_taken_in_again() {
    let story = Story::honest();
    let to_device = |text: &str| {
        let mut body = transaction(PEER);
        body["edus"] = json!([{"edu_type": "m.direct_to_device", "content": {
            "sender": "@bob:b.test", "type": "m.test", "message_id": text,
            "messages": {story.client.user_id.clone(): {"*": {"text": text}}},
        }}]);
        body
    };
    assert_eq!(story.transact("1", &to_device("first")).0, 200);
    assert_eq!(story.transact("1", &to_device("second")).0, 200);
    let synced = story.client.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    let events = synced["to_device"]["events"].as_array().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["content"]["text"], "first");
}

#[test]
fn a_server_does_not_speak_for_users_of_another() {
    let story = Story::honest();
    let mut body = transaction(PEER);
    body["edus"] = json!([{"edu_type": "m.direct_to_device", "content": {
        "sender": "@carol:c.test", "type": "m.test", "message_id": "1",
        "messages": {story.client.user_id.clone(): {"*": {}}},
    }}]);
    assert_eq!(story.transact("1", &body).0, 200);
    let synced = story.client.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    assert!(synced["to_device"]["events"].as_array().is_none_or(Vec::is_empty));
}

#[test]
fn events_of_rooms_that_nobody_here_is_in_leave_nothing_behind() {
    let story = Story::honest();
    let mut body = transaction(PEER);
    body["pdus"] = json!([{"room_id": "!no:b.test", "type": "m.room.message"}, {"room_id": 1}, "x"]);
    assert_eq!(story.transact("1", &body), (200, json!({"pdus": {}})));
    body["edus"] = json!([{"edu_type": "m.typing", "content": {
        "room_id": "!no:b.test", "user_id": "@bob:b.test", "typing": true,
    }}]);
    story.client.world.take_calls();
    assert_eq!(story.transact("2", &body).0, 200);
    let calls = story.client.world.take_calls();
    assert!(calls.iter().all(|(_, command)| !command.contains("ReceiveTyping")), "{calls:?}");
}

#[test]
fn asking_about_a_room_that_nobody_here_is_in_leaves_nothing_behind() {
    const ROOM: &str = "!no:b.test";
    let story = Story::honest();
    let paths = [
        "state/{room}?event_id=$e",
        "state_ids/{room}?event_id=$e",
        "backfill/{room}?v=$e&limit=5",
        "event_auth/{room}/$e",
        "make_join/{room}/@bob:b.test?ver=11",
        "make_knock/{room}/@bob:b.test?ver=11",
        "make_leave/{room}/@bob:b.test",
        "hierarchy/{room}",
        "timestamp_to_event/{room}?ts=1&dir=f",
    ];
    let database = story.client.world.database(&ActorName { kind: ActorKind::Room, name: ROOM.to_owned() });
    for path in paths {
        let target = format!("/_matrix/federation/v1/{}", path.replace("{room}", ROOM));
        let (status, answer) = story.send("GET", &target, &Value::Null, &Proof::honest());
        assert!(matches!(status, 403 | 404), "{path}: {status} {answer}");
        assert_ne!(answer["errcode"], "M_UNRECOGNIZED", "{path}");
        let tables = database.query("SELECT name FROM sqlite_master", params![], |row| row.get::<String>(0));
        assert_eq!(tables.unwrap(), Vec::<String>::new(), "after {path}");
    }
}

#[test]
fn unknown_keys_are_not_asked_for_again_and_again() {
    let story = Story::honest();
    for attempt in 0..10 {
        let proof = Proof { key: key(2), ..Proof::honest() };
        let target = format!("/_matrix/federation/v1/send/{attempt}");
        assert_eq!(story.send("PUT", &target, &transaction(PEER), &proof).0, 401);
    }
    assert_eq!(story.count("/_matrix/key/v2/server"), 1);
}

#[test]
fn keys_that_their_server_did_not_sign_are_not_believed() {
    let story = Story::new(|host, path, now| {
        let mut keys = published(host, &key(1), now);
        keys["verify_keys"]["ed25519:1"]["key"] = STANDARD_NO_PAD.encode(key(2).public_key()).into();
        (path == "/_matrix/key/v2/server").then_some(keys)
    });
    let proof = Proof { key: key(2), ..Proof::honest() };
    let target = "/_matrix/federation/v1/send/1";
    assert_eq!(story.send("PUT", target, &transaction(PEER), &proof).0, 401);
}

#[test]
fn keys_of_another_server_are_not_believed() {
    let story = Story::new(|_, path, now| {
        (path == "/_matrix/key/v2/server").then(|| published("c.test", &key(1), now))
    });
    assert_eq!(story.transact("1", &transaction(PEER)).0, 401);
}

#[test]
fn the_keys_of_a_server_that_does_not_answer_are_asked_of_the_notaries() {
    let story = Story::new(|host, path, now| {
        (host == "notary.test" && path.starts_with("/_matrix/key/v2/query/b.test")).then(
            || json!({"server_keys": [published("c.test", &key(3), now), published(PEER, &key(1), now)]}),
        )
    });
    assert_eq!(story.transact("1", &transaction(PEER)).0, 401);
    assert_eq!(story.count("notary.test"), 0);
    story.client.world.advance(3_600_000);
    story.client.world.configure(|config| {
        config.key_notaries = vec!["notary.test".try_into().unwrap()];
    });
    assert_eq!(story.transact("2", &transaction(PEER)).0, 200);
    assert!(story.count("notary.test") > 0);
}

/// A room on one server whose creator promised an invitation, and what the identity server tells the other of it when
/// `key` signs; how many invitations its user then has.
fn invitations_after_binding(key: &Ed25519KeyPair) -> usize {
    let servers = Neighbours::new();
    let alice = servers.clients[0].register("alice");
    let bob = servers.clients[1].register("bob");
    let room = alice.ok("POST", "/_matrix/client/v3/createRoom", json!({"preset": "private_chat"}));
    let room = room["room_id"].as_str().unwrap();
    let public_key = STANDARD_NO_PAD.encode(self::key(7).public_key());
    let promise = json!({
        "display_name": "b...", "key_validity_url": "https://id.test/valid", "public_key": public_key,
    });
    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.third_party_invite/token");
    alice.ok("PUT", &path, promise);
    let signed = signed(&json!({"mxid": bob.user_id, "token": "token"}), "id.test", key);
    let invite = json!({
        "medium": "email", "address": "bob@example.org", "mxid": bob.user_id, "room_id": room,
        "sender": alice.user_id, "signed": signed,
    });
    let bound = json!({
        "medium": "email", "address": "bob@example.org", "mxid": bob.user_id, "invites": [invite],
    });
    servers.clients[1].ok("PUT", "/_matrix/federation/v1/3pid/onbind", bound);
    servers.settle();
    let synced = bob.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    synced["rooms"]["invite"].as_object().map_or(0, serde_json::Map::len)
}

#[test]
fn a_promised_invitation_is_given_to_whom_the_address_is_bound() {
    assert_eq!(invitations_after_binding(&key(7)), 1);
}

#[test]
fn an_invitation_that_the_promised_key_did_not_sign_is_not_given() {
    assert_eq!(invitations_after_binding(&key(8)), 0);
}
