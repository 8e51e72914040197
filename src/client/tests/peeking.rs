//! Looking into rooms without joining them.

use serde_json::{Value, json};

use super::rooms::{create, path, say};
use crate::testing::Client;

fn texts(chunk: &Value) -> Vec<&str> {
    chunk.as_array().unwrap().iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[test]
fn a_world_readable_room_is_looked_into_by_anyone() {
    let alice = Client::registered("alice");
    let guest = alice.with_session(&alice.ok("POST", "/_matrix/client/v3/register?kind=guest", json!({})));
    let room = create(&alice, json!({"preset": "public_chat", "visibility": "public"}));
    guest.refused("GET", &path(&room, "initialSync"), Value::Null, 403, "M_FORBIDDEN");
    say(&alice, &room, "1", "before");
    let visibility = json!({"history_visibility": "world_readable"});
    alice.ok("PUT", &path(&room, "state/m.room.history_visibility"), visibility);
    say(&alice, &room, "2", "one");
    say(&alice, &room, "3", "two");
    let shown = guest.ok("GET", &path(&room, "initialSync?limit=2"), Value::Null);
    assert_eq!(texts(&shown["messages"]["chunk"]), ["one", "two"]);
    assert_eq!((&shown["room_id"], &shown["visibility"]), (&json!(room), &json!("public")));
    assert_eq!(shown["membership"], Value::Null);
    let all = guest.ok("GET", &path(&room, "initialSync"), Value::Null);
    assert_eq!(texts(&all["messages"]["chunk"]), ["one", "two"], "what was not world-readable is not shown");
    assert!(shown["state"].as_array().unwrap().iter().any(|event| event["type"] == "m.room.create"));

    let from = shown["messages"]["end"].as_str().unwrap();
    let events = format!("/_matrix/client/v3/events?room_id={room}&from={from}");
    let waiting = guest.begin("GET", &format!("{events}&timeout=30000"));
    assert!(waiting.take().is_none());
    say(&alice, &room, "4", "three");
    alice.world.advance(2_000);
    alice.world.settle();
    let (status, answer) = waiting.take().unwrap();
    assert_eq!((status, texts(&answer["chunk"])), (200, vec!["three"]));
    let end = answer["end"].as_str().unwrap();
    let none = guest.ok("GET", &format!("/_matrix/client/v3/events?room_id={room}&from={end}"), Value::Null);
    assert_eq!((&none["chunk"], &none["end"]), (&json!([]), &json!(end)));
    let older = format!("messages?dir=b&from={}", shown["messages"]["start"].as_str().unwrap());
    let older = guest.ok("GET", &path(&room, &older), Value::Null);
    assert_eq!(texts(&older["chunk"]), Vec::<&str>::new());
}

#[test]
fn a_member_gets_the_room_with_their_own_data() {
    let alice = Client::registered("alice");
    let room = create(&alice, json!({"preset": "private_chat"}));
    let tag = format!("/_matrix/client/v3/user/{}/rooms/{room}/tags/u.x", alice.user_id);
    alice.ok("PUT", &tag, json!({}));
    let shown = alice.ok("GET", &path(&room, "initialSync"), Value::Null);
    assert_eq!((&shown["membership"], &shown["visibility"]), (&json!("join"), &json!("private")));
    assert_eq!(shown["account_data"], json!([{"type": "m.tag", "content": {"tags": {"u.x": {}}}}]));
}

#[test]
fn there_are_no_third_party_networks_without_bridges() {
    let alice = Client::registered("alice");
    let base = "/_matrix/client/v3/thirdparty";
    assert_eq!(alice.ok("GET", &format!("{base}/protocols"), Value::Null), json!({}));
    for rest in
        ["protocol/irc", "location/irc", "user/irc", "user?userid=@a:b.test", "location?alias=%23a:b.test"]
    {
        alice.refused("GET", &format!("{base}/{rest}"), Value::Null, 404, "M_NOT_FOUND");
    }
}
