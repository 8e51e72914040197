use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::signatures::{Ed25519KeyPair, KeyPair as _, to_canonical_json_string_for_signing};
use selvedge_durable_objects::{rpc::user::DeliverToDevice, signing::key_pair};
use serde_json::{Value, json, value::RawValue};

use crate::testing::{Client, PASSWORD};

const UPLOAD: &str = "/_matrix/client/v3/keys/upload";
const QUERY: &str = "/_matrix/client/v3/keys/query";
const CLAIM: &str = "/_matrix/client/v3/keys/claim";
const SIGNING: &str = "/_matrix/client/v3/keys/device_signing/upload";
const SIGNATURES: &str = "/_matrix/client/v3/keys/signatures/upload";

fn device_keys(client: &Client, seed: &str) -> Value {
    let device = &client.device_id;
    json!({
        "user_id": client.user_id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {format!("curve25519:{device}"): seed, format!("ed25519:{device}"): seed},
        "signatures": {},
    })
}

fn upload_device_keys(client: &Client, seed: &str) {
    client.ok("POST", UPLOAD, json!({"device_keys": device_keys(client, seed)}));
}

fn query(client: &Client, user: &Client) -> Value {
    client.ok("POST", QUERY, json!({"device_keys": {&user.user_id: []}}))
}

fn claim(client: &Client, of: &Client) -> Value {
    let wanted = json!({&of.user_id: {&of.device_id: "signed_curve25519"}});
    let claimed = client.ok("POST", CLAIM, json!({"one_time_keys": wanted}));
    claimed["one_time_keys"][&of.user_id][&of.device_id].clone()
}

fn sync(client: &Client, since: Option<&str>) -> Value {
    let since = since.map(|since| format!("?since={since}")).unwrap_or_default();
    client.ok("GET", &format!("/_matrix/client/v3/sync{since}"), Value::Null)
}

fn token(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}

fn public_room(client: &Client) -> String {
    let room = client.ok("POST", "/_matrix/client/v3/createRoom", json!({"preset": "public_chat"}));
    room["room_id"].as_str().unwrap().to_owned()
}

fn join(client: &Client, room: &str) {
    client.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({}));
}

fn leave(client: &Client, room: &str) {
    client.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/leave"), json!({}));
}

#[test]
fn device_keys_are_seen_by_others_with_the_device_s_name() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    assert_eq!(query(&bob, &alice)["device_keys"], json!({&alice.user_id: {}}));
    upload_device_keys(&alice, "a");
    let name = json!({"display_name": "phone"});
    alice.ok("PUT", &format!("/_matrix/client/v3/devices/{}", alice.device_id), name);
    let mut expected = device_keys(&alice, "a");
    expected["unsigned"] = json!({"device_display_name": "phone"});
    let seen = query(&bob, &alice);
    assert_eq!(seen["device_keys"], json!({&alice.user_id: {&alice.device_id: expected}}));
    alice.ok("POST", "/_matrix/client/v3/logout", json!({}));
    assert_eq!(query(&bob, &alice)["device_keys"], json!({&alice.user_id: {}}));
}

#[test]
fn keys_of_the_wrong_form_or_of_others_are_refused() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let refused = |keys: Value, code: &str| {
        alice.refused("POST", UPLOAD, json!({"device_keys": keys}), 400, code);
    };
    for member in ["algorithms", "keys", "signatures", "user_id"] {
        let mut keys = device_keys(&alice, "a");
        keys.as_object_mut().unwrap().remove(member);
        refused(keys, "M_BAD_JSON");
    }
    refused(device_keys(&bob, "b"), "M_INVALID_PARAM");
    let wrong_list = json!({"device_keys": {&bob.user_id: {"device_id": true}}});
    alice.refused("POST", QUERY, wrong_list, 400, "M_BAD_JSON");
    alice.refused("POST", UPLOAD, json!({"one_time_keys": {"signed_curve25519:A": 1}}), 400, "M_BAD_JSON");
}

#[test]
fn a_one_time_key_keeps_its_id() {
    let alice = Client::registered("alice");
    let keys = json!({"one_time_keys": {"signed_curve25519:A": {"key": "a", "signatures": {}}}});
    for _ in 0..2 {
        let counts = alice.ok("POST", UPLOAD, keys.clone());
        assert_eq!(counts["one_time_key_counts"], json!({"signed_curve25519": 1}));
    }
    let other = json!({"one_time_keys": {"signed_curve25519:A": {"key": "b", "signatures": {}}}});
    alice.refused("POST", UPLOAD, other, 400, "M_UNKNOWN");
}

#[test]
fn fifty_claims_of_twenty_keys_get_twenty_keys_then_the_fallback_key() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let key = |name: String| json!({"key": name, "signatures": {}});
    let keys: serde_json::Map<_, _> =
        (0..20).map(|n| (format!("signed_curve25519:K{n:02}"), key(format!("k{n}")))).collect();
    let fallback = json!({"signed_curve25519:F": {"key": "f", "fallback": true, "signatures": {}}});
    alice.ok("POST", UPLOAD, json!({"one_time_keys": keys, "fallback_keys": fallback}));
    let before = sync(&alice, None);
    assert_eq!(before["device_one_time_keys_count"], json!({"signed_curve25519": 20}));
    assert_eq!(before["device_unused_fallback_key_types"], json!(["signed_curve25519"]));
    let claimed: Vec<String> = (0..50).map(|_| claim(&bob, &alice).to_string()).collect();
    let fallback_key = fallback.to_string();
    let one_time: BTreeSet<_> = claimed.iter().take(20).collect();
    assert_eq!(one_time.len(), 20);
    assert!(claimed.iter().skip(20).all(|key| *key == fallback_key));
    let after = sync(&alice, Some(&token(&before)));
    assert_eq!(after["device_one_time_keys_count"], json!({"signed_curve25519": 0}));
    assert_eq!(after["device_unused_fallback_key_types"], json!([]));
}

fn send(client: &Client, txn: &str, messages: Value) {
    let path = format!("/_matrix/client/v3/sendToDevice/org.test/{txn}");
    client.ok("PUT", &path, json!({"messages": messages}));
}

fn inbox(sync: &Value) -> Vec<Value> {
    let events = sync["to_device"]["events"].as_array();
    events.map(|events| events.iter().map(|event| event["content"].clone()).collect()).unwrap_or_default()
}

#[test]
fn a_message_reaches_a_device_once_until_it_is_acknowledged() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let other = bob.log_in_again();
    for _ in 0..2 {
        send(
            &alice,
            "1",
            json!({&bob.user_id: {&bob.device_id: {"n": 1}}, "@none:selvedge.test": {"*": {}}}),
        );
    }
    send(&alice, "2", json!({&bob.user_id: {"*": {"n": 2}}}));
    let first = sync(&bob, None);
    assert_eq!(inbox(&first), [json!({"n": 1}), json!({"n": 2})]);
    assert_eq!(first["to_device"]["events"][0]["sender"], json!(alice.user_id));
    assert_eq!(inbox(&sync(&bob, None)), [json!({"n": 1}), json!({"n": 2})], "not acknowledged");
    assert_eq!(inbox(&sync(&bob, Some(&token(&first)))), [] as [Value; 0]);
    assert_eq!(inbox(&sync(&bob, None)), [] as [Value; 0], "acknowledged");
    assert_eq!(inbox(&sync(&other, None)), [json!({"n": 2})]);
}

#[test]
fn who_asks_whose_devices_changed_acknowledges_no_message() {
    let alice = Client::registered("alice");
    send(&alice, "1", json!({&alice.user_id: {"*": {"n": 1}}}));
    let token = token(&sync(&alice, None));
    alice.ok("GET", &format!("/_matrix/client/v3/keys/changes?from={token}&to={token}"), Value::Null);
    assert_eq!(inbox(&sync(&alice, None)), [json!({"n": 1})]);
}

#[test]
fn a_message_of_the_wrong_form_is_refused_and_reaches_nobody() {
    let alice = Client::registered("alice");
    let long = format!("/_matrix/client/v3/sendToDevice/{}/1", "x".repeat(256));
    alice.refused("PUT", &long, json!({"messages": {}}), 400, "M_INVALID_PARAM");
    let path = "/_matrix/client/v3/sendToDevice/org.test/1";
    for content in [json!("text"), json!([]), Value::Null] {
        let body = json!({"messages": {&alice.user_id: {"*": content}}});
        alice.refused("PUT", path, body, 400, "M_BAD_JSON");
    }
    let command = DeliverToDevice {
        sender: "@bob:elsewhere.test".try_into().unwrap(),
        message_id: "1".to_owned(),
        event_type: "org.test".to_owned(),
        messages: [("*", "1"), (alice.device_id.as_str(), "{}")]
            .map(|(device, content)| {
                (device.try_into().unwrap(), RawValue::from_string(content.to_owned()).unwrap())
            })
            .into(),
    };
    alice.world.call("alice", &command).unwrap();
    assert_eq!(inbox(&sync(&alice, None)), [json!({})]);
}

#[test]
fn ten_thousand_messages_arrive_in_order_and_once_in_bounded_syncs() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let mut since = token(&sync(&bob, None));
    for n in 0..10_000 {
        send(&alice, &n.to_string(), json!({&bob.user_id: {&bob.device_id: {"n": n}}}));
    }
    let mut expected = 0;
    loop {
        let answer = sync(&bob, Some(&since));
        let messages = inbox(&answer);
        if messages.is_empty() {
            break;
        }
        assert!(messages.len() <= 100);
        for message in messages {
            assert_eq!(message["n"], json!(expected));
            expected += 1;
        }
        since = token(&answer);
    }
    assert_eq!(expected, 10_000);
}

fn lists(sync: &Value) -> (Vec<String>, Vec<String>) {
    let names = |name: &str| {
        let users = sync["device_lists"][name].as_array().cloned().unwrap_or_default();
        users.iter().map(|user| user.as_str().unwrap()[1..].split(':').next().unwrap().to_owned()).collect()
    };
    (names("changed"), names("left"))
}

fn changed(names: &[&str]) -> (Vec<String>, Vec<String>) {
    (names.iter().map(|name| (*name).to_owned()).collect(), Vec::new())
}

fn left(names: &[&str]) -> (Vec<String>, Vec<String>) {
    (Vec::new(), names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn device_lists_follow_joins_changes_and_leaves() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let (first, second) = (public_room(&alice), public_room(&alice));
    let mut since = token(&sync(&alice, None));
    let mut next = || {
        let answer = sync(&alice, Some(&since));
        let changes =
            alice.ok("GET", &format!("/_matrix/client/v3/keys/changes?from={since}&to=x"), Value::Null);
        let lists_of_sync = lists(&answer);
        assert_eq!(lists(&json!({"device_lists": changes})), lists_of_sync);
        since = token(&answer);
        lists_of_sync
    };
    upload_device_keys(&bob, "1");
    assert_eq!(next(), changed(&[]), "they share no room");
    join(&bob, &first);
    assert_eq!(next(), changed(&["bob"]));
    join(&bob, &second);
    assert_eq!(next(), changed(&["bob"]));
    upload_device_keys(&bob, "2");
    assert_eq!(next(), changed(&["bob"]));
    upload_device_keys(&bob, "2");
    assert_eq!(next(), changed(&[]), "the same keys");
    leave(&bob, &first);
    assert_eq!(next(), changed(&[]), "they still share a room");
    leave(&bob, &second);
    assert_eq!(next(), left(&["bob"]));
    upload_device_keys(&bob, "3");
    assert_eq!(next(), changed(&[]), "they share no room any more");
    upload_device_keys(&alice, "a");
    assert_eq!(next(), changed(&["alice"]));
    join(&bob, &first);
    upload_device_keys(&bob, "4");
    bob.world.restart();
    assert_eq!(next(), changed(&["bob"]));
    leave(&alice, &first);
    assert_eq!(next(), left(&["bob"]));
    join(&alice, &first);
    assert_eq!(next(), changed(&["alice", "bob"]));
    bob.ok("POST", "/_matrix/client/v3/logout", json!({}));
    assert_eq!(next(), changed(&["bob"]));
}

/// A key pair for cross-signing.
struct Key(Ed25519KeyPair, String);

impl Key {
    fn new(seed: u8) -> Self {
        let pair = key_pair(&[seed; 32], "1".to_owned()).unwrap();
        let public = STANDARD_NO_PAD.encode(pair.public_key());
        Self(pair, public)
    }

    fn id(&self) -> String {
        format!("ed25519:{}", self.1)
    }

    fn object(&self, client: &Client, usage: &str) -> Value {
        json!({"user_id": client.user_id, "usage": [usage], "keys": {self.id(): self.1}})
    }

    /// `object` with this key's signature, in the name of `client`.
    fn sign(&self, client: &Client, mut object: Value) -> Value {
        let Value::Object(map) = object.clone() else { panic!() };
        let map = ruma::canonical_json::try_from_json_map(map).unwrap();
        let text = to_canonical_json_string_for_signing(&map).unwrap();
        let signature = self.0.sign(text.as_bytes()).base64();
        object["signatures"][&client.user_id][self.id()] = json!(signature);
        object
    }
}

fn signing_keys(client: &Client, seed: u8) -> (Value, [Key; 3]) {
    let keys = [Key::new(seed), Key::new(seed.wrapping_add(1)), Key::new(seed.wrapping_add(2))];
    let [master, own, others] = &keys;
    let body = json!({
        "master_key": master.object(client, "master"),
        "self_signing_key": master.sign(client, own.object(client, "self_signing")),
        "user_signing_key": master.sign(client, others.object(client, "user_signing")),
    });
    (body, keys)
}

#[test]
fn cross_signing_keys_are_replaced_only_by_who_proves_to_be_the_user() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let (first, _) = signing_keys(&alice, 1);
    alice.ok("POST", SIGNING, first.clone());
    alice.ok("POST", SIGNING, first.clone());
    let seen = query(&alice, &alice);
    assert_eq!(seen["user_signing_keys"][&alice.user_id], first["user_signing_key"]);
    let seen = query(&bob, &alice);
    assert_eq!(seen["master_keys"][&alice.user_id], first["master_key"]);
    assert_eq!(seen["self_signing_keys"][&alice.user_id], first["self_signing_key"]);
    assert_eq!(seen.get("user_signing_keys"), None);
    let (mut second, _) = signing_keys(&alice, 10);
    let (status, asked) = alice.request("POST", SIGNING, second.clone());
    assert_eq!((status, asked["session"].is_string()), (401, true));
    assert_eq!(query(&bob, &alice)["master_keys"][&alice.user_id], first["master_key"]);
    second["auth"] = alice.password_stage(PASSWORD);
    alice.ok("POST", SIGNING, second.clone());
    assert_eq!(query(&bob, &alice)["master_keys"][&alice.user_id], second["master_key"]);
    let (named, [master, ..]) = signing_keys(&bob, 30);
    let identifier = json!({"type": "m.id.user", "user": bob.user_id});
    let login = json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD, "device_id": master.1});
    bob.ok("POST", "/_matrix/client/v3/login", login);
    bob.refused("POST", SIGNING, named, 403, "M_FORBIDDEN");
    let (_, [other, ..]) = signing_keys(&alice, 10);
    let identifier = json!({"type": "m.id.user", "user": alice.user_id});
    let login = json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD, "device_id": other.1});
    alice.refused("POST", "/_matrix/client/v3/login", login, 403, "M_FORBIDDEN");
    let (mut forged, [_, own, _]) = signing_keys(&bob, 20);
    forged["self_signing_key"] = own.object(&bob, "self_signing");
    bob.refused("POST", SIGNING, forged, 400, "M_INVALID_SIGNATURE");
}

#[test]
fn signatures_are_taken_when_they_hold_and_others_are_seen_by_the_signer_alone() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let (keys, [_, own, others]) = signing_keys(&alice, 1);
    let (of_bob, [master_of_bob, ..]) = signing_keys(&bob, 10);
    alice.ok("POST", SIGNING, keys);
    bob.ok("POST", SIGNING, of_bob.clone());
    upload_device_keys(&alice, "a");
    let device = device_keys(&alice, "a");
    let signed = own.sign(&alice, device.clone());
    let target = others.sign(&alice, of_bob["master_key"].clone());
    let body = json!({&alice.user_id: {&alice.device_id: signed}, &bob.user_id: {&master_of_bob.1: target}});
    assert_eq!(alice.ok("POST", SIGNATURES, body), json!({"failures": {}}));
    assert_eq!(query(&bob, &alice)["device_keys"][&alice.user_id][&alice.device_id], signed);
    assert_eq!(query(&alice, &bob)["master_keys"][&bob.user_id], target);
    assert_eq!(query(&bob, &bob)["master_keys"][&bob.user_id], of_bob["master_key"]);
    let mut wrong = device;
    wrong["signatures"][&alice.user_id][own.id()] = json!(STANDARD_NO_PAD.encode([7; 64]));
    let failed = alice.ok("POST", SIGNATURES, json!({&alice.user_id: {&alice.device_id: wrong, "none": {}}}));
    let failed = &failed["failures"][&alice.user_id];
    assert_eq!(failed[&alice.device_id]["errcode"], "M_INVALID_SIGNATURE");
    assert_eq!(failed["none"]["errcode"], "M_NOT_FOUND");
}

#[test]
fn a_dehydrated_device_takes_messages_until_it_is_woken_up() {
    const DEVICE: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    alice.refused("GET", DEVICE, Value::Null, 404, "M_NOT_FOUND");
    let sleeper = Client { device_id: "SLEEPER".to_owned(), ..alice.clone() };
    let data = json!({"algorithm": "org.matrix.msc3814.v2", "device_pickle": "p", "nonce": "n"});
    let put = json!({
        "device_id": "SLEEPER",
        "device_data": data,
        "device_keys": device_keys(&sleeper, "s"),
        "one_time_keys": {"signed_curve25519:A": {"key": "a", "signatures": {}}},
    });
    assert_eq!(alice.ok("PUT", DEVICE, put), json!({"device_id": "SLEEPER"}));
    assert_eq!(alice.ok("GET", DEVICE, Value::Null), json!({"device_id": "SLEEPER", "device_data": data}));
    assert!(query(&bob, &alice)["device_keys"][&alice.user_id]["SLEEPER"].is_object());
    assert_eq!(claim(&bob, &sleeper), json!({"signed_curve25519:A": {"key": "a", "signatures": {}}}));
    send(&bob, "1", json!({&alice.user_id: {"SLEEPER": {"n": 1}}}));
    let events = alice.ok("POST", &format!("{DEVICE}/SLEEPER/events"), json!({}));
    assert_eq!(events["events"][0]["content"], json!({"n": 1}));
    let rest = json!({"next_batch": events["next_batch"]});
    assert_eq!(alice.ok("POST", &format!("{DEVICE}/SLEEPER/events"), rest)["events"], json!([]));
    assert_eq!(alice.ok("DELETE", DEVICE, Value::Null), json!({"device_id": "SLEEPER"}));
    assert_eq!(query(&bob, &alice)["device_keys"], json!({&alice.user_id: {}}));
}
