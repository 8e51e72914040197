use serde_json::{Value, json};

use crate::testing::Client;

const SYNC: &str = "/_matrix/client/v3/sync?timeout=0";

fn status(user: &Client) -> String {
    format!("/_matrix/client/v3/presence/{}/status", user.user_id)
}

/// Two users who share a room.
fn friends() -> (Client, Client) {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room = alice.ok("POST", "/_matrix/client/v3/createRoom", json!({"preset": "public_chat"}));
    let room = room["room_id"].as_str().unwrap();
    bob.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({}));
    (alice, bob)
}

/// Syncs, and gives the next token and how `of` appears in the answer.
fn sync(client: &Client, since: Option<&str>, of: &Client) -> (String, Option<Value>) {
    let since = since.map(|token| format!("&since={token}")).unwrap_or_default();
    let answer = client.ok("GET", &format!("{SYNC}&set_presence=offline{since}"), Value::Null);
    let events = answer["presence"]["events"].as_array().cloned().unwrap_or_default();
    let event = events.into_iter().find(|event| event["sender"] == of.user_id.as_str());
    (answer["next_batch"].as_str().unwrap().to_owned(), event.map(|event| event["content"].clone()))
}

#[test]
fn presence_is_set_and_told_to_those_who_share_a_room() {
    let (alice, bob) = friends();
    let (token, _) = sync(&bob, None, &alice);
    alice.ok("PUT", &status(&alice), json!({"presence": "online", "status_msg": "here"}));
    alice.world.advance(1_000);
    let seen = json!({"presence": "online", "status_msg": "here", "currently_active": true, "last_active_ago": 1000});
    assert_eq!(bob.ok("GET", &status(&alice), Value::Null), seen);
    let (token, told) = sync(&bob, Some(&token), &alice);
    assert_eq!(told, Some(seen));
    assert_eq!(sync(&bob, Some(&token), &alice).1, None);
    alice.ok("PUT", &status(&alice), json!({"presence": "unavailable"}));
    assert_eq!(sync(&bob, Some(&token), &alice).1.unwrap()["presence"], "unavailable");
}

#[test]
fn a_sync_sets_presence_as_it_asks() {
    let (alice, bob) = friends();
    alice.ok("GET", &format!("{SYNC}&set_presence=offline"), Value::Null);
    let presence = |wanted: &str| {
        assert_eq!(bob.ok("GET", &status(&alice), Value::Null)["presence"], wanted);
    };
    presence("offline");
    alice.ok("GET", SYNC, Value::Null);
    presence("online");
    alice.ok("GET", &format!("{SYNC}&set_presence=unavailable"), Value::Null);
    presence("unavailable");
    alice.ok("GET", SYNC, Value::Null);
    presence("online");
    alice.ok("PUT", &status(&alice), json!({"presence": "unavailable"}));
    alice.ok("GET", SYNC, Value::Null);
    presence("unavailable");
}

#[test]
fn who_does_something_is_online_again() {
    let (alice, bob) = friends();
    let room = alice.ok("GET", "/_matrix/client/v3/joined_rooms", Value::Null)["joined_rooms"][0].clone();
    let send = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/1", room.as_str().unwrap());
    alice.ok("PUT", &status(&alice), json!({"presence": "unavailable", "status_msg": "tea"}));
    alice.world.advance(1_000);
    alice.ok("PUT", &send, json!({"msgtype": "m.text", "body": "back"}));
    let seen =
        json!({"presence": "online", "status_msg": "tea", "currently_active": true, "last_active_ago": 0});
    assert_eq!(bob.ok("GET", &status(&alice), Value::Null), seen);
}

#[test]
fn who_never_did_anything_was_last_active_at_registration() {
    let alice = Client::registered("alice");
    alice.world.advance(1_000);
    assert_eq!(alice.ok("GET", &status(&alice), Value::Null)["last_active_ago"], 1_000);
    alice.ok("PUT", &status(&alice), json!({"presence": "unavailable"}));
    assert_eq!(alice.ok("GET", &status(&alice), Value::Null)["last_active_ago"], 1_000);
}

#[test]
fn who_goes_away_is_offline_after_a_while() {
    let (alice, bob) = friends();
    alice.ok("GET", SYNC, Value::Null);
    let (token, told) = sync(&bob, None, &alice);
    assert_eq!(told.unwrap()["presence"], "online");
    alice.world.ring_next_alarm().unwrap();
    assert_eq!(sync(&bob, Some(&token), &alice).1.unwrap()["presence"], "offline");
}

#[test]
fn presence_is_not_for_strangers() {
    let (alice, _) = friends();
    let eve = alice.register("eve");
    let nobody = Client { user_id: "@nobody:selvedge.test".to_owned(), ..eve.clone() };
    eve.refused("GET", &status(&alice), Value::Null, 403, "M_FORBIDDEN");
    eve.refused("GET", &status(&nobody), Value::Null, 403, "M_FORBIDDEN");
    eve.refused("PUT", &status(&alice), json!({"presence": "online"}), 403, "M_FORBIDDEN");
    eve.refused("PUT", &status(&eve), json!({"presence": "busy"}), 400, "M_INVALID_PARAM");
    assert_eq!(eve.ok("GET", &status(&eve), Value::Null)["presence"], "offline");
}
