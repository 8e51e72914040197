use serde_json::{Value, json};

use crate::testing::{Client, PASSWORD};

fn create_room(client: &Client) -> String {
    // Rooms of one creator and one moment have one id.
    client.world.advance(1);
    let body = json!({"preset": "public_chat"});
    client.ok("POST", "/_matrix/client/v3/createRoom", body)["room_id"].as_str().unwrap().to_owned()
}

fn member(client: &Client, room_id: &str, user_id: &str) -> Value {
    let path = format!("/_matrix/client/v3/rooms/{room_id}/state/m.room.member/{user_id}");
    client.ok("GET", &path, Value::Null)
}

fn set_name(client: &Client, name: &str) {
    let path = format!("/_matrix/client/v3/profile/{}/displayname", client.user_id);
    client.ok("PUT", &path, json!({"displayname": name}));
}

#[test]
fn member_events_follow_the_profile() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    set_name(&alice, "Alice");
    let rooms: Vec<String> = (0..25).map(|_| create_room(&bob)).collect();
    for room in &rooms {
        alice.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({}));
    }
    assert_eq!(member(&bob, &rooms[0], &alice.user_id)["displayname"], "Alice");
    set_name(&alice, "Alice Liddell");
    let avatar = format!("/_matrix/client/v3/profile/{}/avatar_url", alice.user_id);
    alice.ok("PUT", &avatar, json!({"avatar_url": "mxc://a/b"}));
    let expected = json!({"membership": "join", "displayname": "Alice Liddell", "avatar_url": "mxc://a/b"});
    for room in &rooms {
        assert_eq!(member(&bob, room, &alice.user_id), expected);
    }
}

#[test]
fn a_room_that_was_left_does_not_hear_of_the_profile() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room = create_room(&bob);
    alice.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({}));
    alice.ok("POST", &format!("/_matrix/client/v3/rooms/{room}/leave"), json!({}));
    set_name(&alice, "Alice");
    assert_eq!(member(&bob, &room, &alice.user_id), json!({"membership": "leave"}));
}

#[test]
fn who_deactivates_the_account_leaves_all_rooms() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let rooms: Vec<String> = (0..25).map(|_| create_room(&bob)).collect();
    for room in &rooms {
        alice.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({}));
    }
    let invited = create_room(&bob);
    let invite = format!("/_matrix/client/v3/rooms/{invited}/invite");
    bob.ok("POST", &invite, json!({"user_id": alice.user_id}));
    let body = json!({"erase": true, "auth": alice.password_stage(PASSWORD)});
    alice.ok("POST", "/_matrix/client/v3/account/deactivate", body);
    for room in rooms.iter().chain([&invited]) {
        assert_eq!(member(&bob, room, &alice.user_id)["membership"], "leave");
    }
}
