//! Edits, references, threads, reactions.

use serde_json::{Value, json};

use super::rooms::{create, path, say, segment};
use crate::testing::Client;

fn send(client: &Client, room_id: &str, event_type: &str, txn: &str, content: Value) -> String {
    let target = path(room_id, &format!("send/{event_type}/{txn}"));
    client.ok("PUT", &target, content)["event_id"].as_str().unwrap().to_owned()
}

fn reply(client: &Client, room_id: &str, root: &str, txn: &str) -> String {
    let relates_to = json!({"rel_type": "m.thread", "event_id": root});
    send(client, room_id, "m.room.message", txn, json!({"body": txn, "m.relates_to": relates_to}))
}

fn edit(client: &Client, room_id: &str, target: &str, txn: &str, body: &str) -> String {
    let relates_to = json!({"rel_type": "m.replace", "event_id": target});
    let content = json!({"body": "*", "m.new_content": {"body": body}, "m.relates_to": relates_to});
    send(client, room_id, "m.room.message", txn, content)
}

fn react(client: &Client, room_id: &str, target: &str, txn: &str, key: &str) -> String {
    let relates_to = json!({"rel_type": "m.annotation", "event_id": target, "key": key});
    send(client, room_id, "m.reaction", txn, json!({ "m.relates_to": relates_to }))
}

fn bundle(client: &Client, room_id: &str, event_id: &str) -> Value {
    let event = client.ok("GET", &path(room_id, &format!("event/{}", segment(event_id))), Value::Null);
    event["unsigned"]["m.relations"].clone()
}

fn redact(client: &Client, room_id: &str, event_id: &str, txn: &str) {
    client.ok("PUT", &path(room_id, &format!("redact/{}/{txn}", segment(event_id))), json!({}));
}

fn v1(room_id: &str, rest: &str) -> String {
    path(room_id, rest).replacen("v3", "v1", 1)
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["chunk"].as_array().unwrap().iter().filter_map(|event| event["event_id"].as_str()).collect()
}

fn two_in_a_room() -> (Client, Client, String) {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    bob.ok("POST", &path(&room_id, "join"), json!({}));
    (alice, bob, room_id)
}

#[test]
fn the_latest_valid_edit_is_bundled_with_its_event() {
    let (alice, bob, room_id) = two_in_a_room();
    let event = say(&alice, &room_id, "1", "first");
    edit(&alice, &room_id, &event, "2", "second");
    alice.world.advance(5);
    let last = edit(&alice, &room_id, &event, "3", "third");
    alice.world.advance(5);
    edit(&bob, &room_id, &event, "4", "not mine to edit");
    let bundle_of = |client: &Client| bundle(client, &room_id, &event);
    assert_eq!(bundle_of(&bob)["m.replace"]["event_id"], *last);
    assert_eq!(bundle_of(&bob)["m.replace"]["content"]["m.new_content"]["body"], "third");
    redact(&alice, &room_id, &event, "5");
    assert_eq!(bundle_of(&bob), Value::Null);
}

#[test]
fn a_thread_is_summed_up_at_its_root() {
    let (alice, bob, room_id) = two_in_a_room();
    let root = say(&alice, &room_id, "root", "root");
    reply(&bob, &room_id, &root, "1");
    let second = reply(&bob, &room_id, &root, "2");
    let carol = alice.register("carol");
    carol.ok("POST", &path(&room_id, "join"), json!({}));
    let thread = bundle(&carol, &room_id, &root)["m.thread"].clone();
    assert_eq!(thread["count"], 2);
    assert_eq!(thread["latest_event"]["event_id"], *second);
    assert_eq!(thread["current_user_participated"], false);
    assert_eq!(bundle(&bob, &room_id, &root)["m.thread"]["current_user_participated"], true);
    assert_eq!(bundle(&alice, &room_id, &root)["m.thread"]["current_user_participated"], true);
    redact(&bob, &room_id, &second, "3");
    assert_eq!(bundle(&carol, &room_id, &root)["m.thread"]["count"], 1);
}

#[test]
fn ignored_users_do_not_count_in_aggregations() {
    let (alice, bob, room_id) = two_in_a_room();
    let root = say(&alice, &room_id, "root", "root");
    let own = reply(&alice, &room_id, &root, "1");
    reply(&bob, &room_id, &root, "2");
    let target = format!("/_matrix/client/v3/user/{}/account_data/m.ignored_user_list", alice.user_id);
    alice.ok("PUT", &target, json!({"ignored_users": {(bob.user_id.clone()): {}}}));
    let thread = bundle(&alice, &room_id, &root)["m.thread"].clone();
    assert_eq!((&thread["count"], &thread["latest_event"]["event_id"]), (&json!(1), &json!(own)));
    let relations = v1(&room_id, &format!("relations/{}", segment(&root)));
    assert_eq!(ids(&alice.ok("GET", &relations, Value::Null)), [own]);
}

#[test]
fn relations_are_found_by_kind_and_type_page_by_page() {
    let (alice, bob, room_id) = two_in_a_room();
    let event = say(&alice, &room_id, "1", "x");
    let reaction = react(&bob, &room_id, &event, "2", "a");
    let other = react(&alice, &room_id, &event, "3", "b");
    let edited = edit(&alice, &room_id, &event, "4", "y");
    let all = v1(&room_id, &format!("relations/{}", segment(&event)));
    let get = |target: &str| alice.ok("GET", target, Value::Null);
    assert_eq!(ids(&get(&all)), [&edited, &other, &reaction].map(String::as_str));
    assert_eq!(ids(&get(&format!("{all}?dir=f"))), [&reaction, &other, &edited].map(String::as_str));
    assert_eq!(ids(&get(&format!("{all}/m.annotation"))), [&other, &reaction].map(String::as_str));
    assert_eq!(ids(&get(&format!("{all}/m.annotation/m.other"))), [""; 0]);
    let first = get(&format!("{all}?limit=2"));
    assert_eq!(ids(&first).len(), 2);
    let next = first["next_batch"].as_str().unwrap();
    let second = get(&format!("{all}?limit=2&from={next}"));
    assert_eq!((ids(&second), &second["next_batch"]), (vec![reaction.as_str()], &Value::Null));
    alice.refused("GET", &v1(&room_id, "relations/$none"), Value::Null, 404, "M_NOT_FOUND");
}

#[test]
fn recursion_finds_what_relates_to_what_relates() {
    let (alice, bob, room_id) = two_in_a_room();
    let root = say(&alice, &room_id, "root", "root");
    let message = reply(&bob, &room_id, &root, "1");
    let reaction = react(&alice, &room_id, &message, "2", "a");
    let all = v1(&room_id, &format!("relations/{}", segment(&root)));
    let deep = alice.ok("GET", &format!("{all}?recurse=true"), Value::Null);
    assert_eq!(ids(&deep), [&reaction, &message].map(String::as_str));
    assert!(deep["recursion_depth"].as_u64().unwrap() >= 2);
    assert_eq!(ids(&alice.ok("GET", &all, Value::Null)), [&message]);
}

#[test]
fn one_reacts_once_in_a_way_and_starts_no_thread_in_a_thread() {
    let (alice, bob, room_id) = two_in_a_room();
    let event = say(&alice, &room_id, "1", "x");
    let reaction = react(&bob, &room_id, &event, "2", "a");
    let again = |client: &Client, txn: &str, key: &str| {
        let relates_to = json!({"rel_type": "m.annotation", "event_id": event, "key": key});
        let target = path(&room_id, &format!("send/m.reaction/{txn}"));
        client.request("PUT", &target, json!({ "m.relates_to": relates_to }))
    };
    let (status, error) = again(&bob, "3", "a");
    assert_eq!((status, &error["errcode"]), (400, &json!("M_DUPLICATE_ANNOTATION")));
    assert_eq!(again(&bob, "2", "a").1["event_id"], *reaction);
    assert_eq!(again(&bob, "4", "b").0, 200);
    assert_eq!(again(&alice, "5", "a").0, 200);
    redact(&bob, &room_id, &reaction, "6");
    assert_eq!(again(&bob, "7", "a").0, 200);

    let inner = reply(&alice, &room_id, &event, "8");
    let relates_to = json!({"rel_type": "m.thread", "event_id": inner});
    let content = json!({"body": "deeper", "m.relates_to": relates_to});
    bob.refused("PUT", &path(&room_id, "send/m.room.message/9"), content, 400, "M_UNKNOWN");
}

#[test]
fn threads_come_by_their_last_event() {
    let (alice, bob, room_id) = two_in_a_room();
    let first = say(&alice, &room_id, "a", "first");
    let second = say(&bob, &room_id, "b", "second");
    reply(&bob, &room_id, &first, "1");
    reply(&bob, &room_id, &second, "2");
    let list = |rest: &str| alice.ok("GET", &v1(&room_id, &format!("threads{rest}")), Value::Null);
    assert_eq!(ids(&list("")), [&second, &first].map(String::as_str));
    reply(&bob, &room_id, &first, "3");
    assert_eq!(ids(&list("")), [&first, &second].map(String::as_str));
    assert_eq!(ids(&list("?include=participated")), [&first]);
    let page = list("?limit=1");
    let next = page["next_batch"].as_str().unwrap();
    assert_eq!(ids(&list(&format!("?limit=1&from={next}"))), [&second]);
}

#[test]
fn the_event_nearest_to_a_time_is_found() {
    let (alice, bob, room_id) = two_in_a_room();
    alice.world.advance(1_000);
    let first = say(&alice, &room_id, "1", "x");
    let time = alice.world.now();
    alice.world.advance(1_000);
    let second = say(&alice, &room_id, "2", "y");
    let find = |ts: u64, dir: &str| {
        alice.request("GET", &v1(&room_id, &format!("timestamp_to_event?ts={ts}&dir={dir}")), Value::Null)
    };
    assert_eq!(find(time + 1, "f").1["event_id"], *second);
    assert_eq!(find(time + 1, "b").1["event_id"], *first);
    assert_eq!(find(time + 5_000, "f").0, 404);
    let carol = bob.register("carol");
    let target = v1(&room_id, "timestamp_to_event?ts=1&dir=f");
    carol.refused("GET", &target, Value::Null, 403, "M_FORBIDDEN");
}
