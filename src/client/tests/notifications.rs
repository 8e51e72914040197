//! What the user was notified of.

use serde_json::{Value, json};

use super::rooms::{create, path, say, segment};
use crate::testing::Client;

fn list(client: &Client, query: &str) -> Value {
    client.ok("GET", &format!("/_matrix/client/v3/notifications{query}"), Value::Null)
}

fn bodies(answer: &Value) -> Vec<&str> {
    let notifications = answer["notifications"].as_array().unwrap();
    notifications.iter().filter_map(|of| of["event"]["content"]["body"].as_str()).collect()
}

fn rooms_of(alice: &Client, bob: &Client, count: usize) -> Vec<String> {
    let rooms = (0..count).map(|_| {
        alice.world.advance(1);
        let room_id = create(alice, json!({"preset": "public_chat"}));
        say(alice, &room_id, "early", "before bob came");
        bob.ok("POST", &path(&room_id, "join"), json!({}));
        room_id
    });
    rooms.collect()
}

#[test]
fn what_others_said_is_listed_the_latest_first() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let rooms = rooms_of(&alice, &bob, 2);
    let mut said = Vec::new();
    for index in 0..7 {
        alice.world.advance(10);
        let body = format!("number {index}");
        say(&alice, &rooms[index % 2], &format!("n{index}"), &body);
        say(&bob, &rooms[index % 2], &format!("own{index}"), "own");
        said.insert(0, body);
    }
    let answer = list(&bob, "");
    assert_eq!(bodies(&answer), said);
    assert_eq!(answer["next_token"], Value::Null);
    let first = &answer["notifications"][0];
    assert_eq!((&first["room_id"], &first["read"]), (&json!(rooms[0]), &json!(false)));
    assert!(first["actions"].as_array().unwrap().contains(&json!("notify")));
    assert_eq!(
        (&first["ts"], &first["event"]["room_id"]),
        (&first["event"]["origin_server_ts"], &Value::Null)
    );
    let page = list(&bob, "?limit=3");
    assert_eq!(bodies(&page), said[..3]);
    let next = page["next_token"].as_str().unwrap();
    assert_eq!(bodies(&list(&bob, &format!("?limit=10&from={next}"))), said[3..]);
    bob.refused("GET", "/_matrix/client/v3/notifications?from=x", Value::Null, 400, "M_INVALID_PARAM");
}

#[test]
fn what_was_read_is_marked_and_what_is_gone_is_left_out() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = rooms_of(&alice, &bob, 1).remove(0);
    let events: Vec<_> = (0..4).map(|i| say(&alice, &room_id, &format!("{i}"), &format!("{i}"))).collect();
    bob.ok("POST", &path(&room_id, &format!("receipt/m.read/{}", segment(&events[1]))), json!({}));
    alice.ok("PUT", &path(&room_id, &format!("redact/{}/r", segment(&events[2]))), json!({}));
    let answer = list(&bob, "");
    assert_eq!(bodies(&answer), ["3", "1", "0"]);
    let read: Vec<_> = answer["notifications"].as_array().unwrap().iter().map(|of| &of["read"]).collect();
    assert_eq!(read, [&json!(false), &json!(true), &json!(true)]);
    let ignored = json!({"ignored_users": {(alice.user_id.clone()): {}}});
    let target = format!("/_matrix/client/v3/user/{}/account_data/m.ignored_user_list", bob.user_id);
    bob.ok("PUT", &target, ignored);
    assert_eq!(bodies(&list(&bob, "")), [""; 0]);
    bob.ok("POST", &path(&room_id, "leave"), json!({}));
    assert_eq!(list(&bob, ""), json!({"notifications": []}));
}

#[test]
fn the_users_own_rules_say_what_is_listed_and_highlights_can_be_had_alone() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = rooms_of(&alice, &bob, 1).remove(0);
    say(&alice, &room_id, "1", "nothing of note");
    let mention = json!({"msgtype": "m.text", "body": "look", "m.mentions": {"user_ids": [bob.user_id]}});
    alice.ok("PUT", &path(&room_id, "send/m.room.message/2"), mention);
    assert_eq!(bodies(&list(&bob, "?only=highlight")), ["look"]);
    let rule = format!("/_matrix/client/v3/pushrules/global/room/{}", segment(&room_id));
    bob.ok("PUT", &rule, json!({"actions": []}));
    assert_eq!(bodies(&list(&bob, "")), ["look"]);
}

#[test]
fn what_was_said_in_threads_while_the_user_was_out_is_not_unread() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = rooms_of(&alice, &bob, 1).remove(0);
    let root = say(&alice, &room_id, "root", "root");
    let answer = |txn: &str| {
        let relation = json!({"rel_type": "m.thread", "event_id": root});
        let content = json!({"msgtype": "m.text", "body": txn, "m.relates_to": relation});
        alice.ok("PUT", &path(&room_id, &format!("send/m.room.message/{txn}")), content);
    };
    let unread = || {
        let answer = bob.ok("GET", "/_matrix/client/v3/sync", Value::Null);
        answer["rooms"]["join"][&room_id]["unread_notifications"]["notification_count"].clone()
    };
    answer("before");
    assert_eq!(unread(), 2);
    bob.ok("POST", &path(&room_id, "leave"), json!({}));
    answer("meanwhile");
    bob.ok("POST", &path(&room_id, "join"), json!({}));
    assert_eq!(unread(), 0);
    answer("after");
    let name = format!("/_matrix/client/v3/profile/{}/displayname", bob.user_id);
    bob.ok("PUT", &name, json!({"displayname": "Robert"}));
    assert_eq!(unread(), 1, "another name is no coming back");
}
