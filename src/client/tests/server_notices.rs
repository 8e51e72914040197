//! Notices of the server to its users.

use serde_json::{Value, json};

use super::{
    admin::admin,
    rooms::{path, state},
};
use crate::testing::Client;

const SEND: &str = "/_synapse/admin/v1/send_server_notice";

fn notice(user_id: &str) -> Value {
    json!({"user_id": user_id, "content": {"msgtype": "m.text", "body": "hello"}})
}

fn sync(client: &Client) -> Value {
    client.ok("GET", "/_matrix/client/v3/sync", Value::Null)["rooms"].clone()
}

/// The one room that the user is invited to.
fn invited_to(client: &Client) -> String {
    let rooms = sync(client);
    let (room_id, room) = rooms["invite"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(room["invite_state"]["events"][0]["sender"], "@_server:selvedge.test");
    room_id.clone()
}

#[test]
fn a_notice_comes_in_a_room_of_its_own_that_cannot_be_declined() {
    let admin = admin();
    let alice = admin.register("alice");
    alice.refused("POST", SEND, Value::Null, 403, "M_FORBIDDEN");
    let event_id = admin.ok("POST", SEND, notice(&alice.user_id))["event_id"].clone();
    let room = invited_to(&alice);
    alice.refused("POST", &path(&room, "leave"), json!({}), 403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
    let member = path(&room, &format!("state/m.room.member/{}", alice.user_id));
    let leave = json!({"membership": "leave"});
    alice.refused("PUT", &member, leave, 403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
    alice.ok("POST", &path(&room, "join"), json!({}));
    let rooms = sync(&alice);
    let timeline = rooms["join"][&room]["timeline"]["events"].as_array().unwrap();
    assert!(timeline.iter().any(|event| event["event_id"] == event_id));
    let tags = format!("/_matrix/client/v3/user/{}/rooms/{room}/tags", alice.user_id);
    assert_eq!(alice.ok("GET", &tags, Value::Null)["tags"], json!({"m.server_notice": {}}));
    assert_eq!(state(&alice, &room, "m.room.create", "")["m.federate"], false);
    let answer = json!({"msgtype": "m.text", "body": "thanks"});
    alice.refused("PUT", &path(&room, "send/m.room.message/1"), answer, 403, "M_FORBIDDEN");
    alice.ok("POST", &path(&room, "leave"), json!({}));
    admin.ok("POST", SEND, notice(&alice.user_id));
    assert_eq!(invited_to(&alice), room);
}

#[test]
fn a_notice_with_a_transaction_is_sent_once() {
    let admin = admin();
    let alice = admin.register("alice");
    let first = admin.ok("PUT", &format!("{SEND}/1"), notice(&alice.user_id));
    assert_eq!(admin.ok("PUT", &format!("{SEND}/1"), notice(&alice.user_id)), first);
    assert_ne!(admin.ok("PUT", &format!("{SEND}/2"), notice(&alice.user_id)), first);
}

#[test]
fn notices_reach_who_blocks_invitations_but_nobody_elsewhere() {
    let admin = admin();
    let alice = admin.register("alice");
    let block = format!("/_matrix/client/v3/user/{}/account_data/m.invite_permission_config", alice.user_id);
    alice.ok("PUT", &block, json!({"default_action": "block"}));
    admin.ok("POST", SEND, notice(&alice.user_id));
    invited_to(&alice);
    admin.refused("POST", SEND, notice("@a:other.test"), 400, "M_UNKNOWN");
    admin.refused("POST", SEND, notice("@nobody:selvedge.test"), 404, "M_NOT_FOUND");
    let body = json!({"username": "_server", "auth": {"type": "m.login.dummy"}});
    admin.refused("POST", "/_matrix/client/v3/register", body, 400, "M_USER_IN_USE");
}
