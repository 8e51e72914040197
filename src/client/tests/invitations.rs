//! Invitations that are not wanted.

use serde_json::{Value, json};

use super::rooms::{create, path};
use crate::testing::{Client, Neighbours};

fn set_account_data(client: &Client, kind: &str, content: Value) {
    client.ok("PUT", &format!("/_matrix/client/v3/user/{}/account_data/{kind}", client.user_id), content);
}

fn invitations(client: &Client, since: &str) -> (usize, String) {
    let answer = client.ok("GET", &format!("/_matrix/client/v3/sync?{since}"), Value::Null);
    let count = answer["rooms"]["invite"].as_object().map_or(0, serde_json::Map::len);
    (count, format!("since={}", answer["next_batch"].as_str().unwrap()))
}

#[test]
fn who_blocks_invitations_gets_none_and_sees_none() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room = create(&alice, json!({"preset": "private_chat", "invite": [bob.user_id]}));
    assert_eq!(invitations(&bob, "").0, 1);
    set_account_data(&bob, "m.invite_permission_config", json!({"default_action": "block"}));
    assert_eq!(invitations(&bob, "").0, 0);
    let other = create(&alice, json!({"preset": "private_chat"}));
    let code = "M_INVITE_BLOCKED";
    let invite = json!({"user_id": bob.user_id});
    alice.refused("POST", &path(&other, "invite"), invite, 403, code);
    let member = path(&other, &format!("state/m.room.member/{}", bob.user_id));
    alice.refused("PUT", &member, json!({"membership": "invite"}), 403, code);
    let creation = json!({"invite": [bob.user_id]});
    alice.refused("POST", "/_matrix/client/v3/createRoom", creation, 403, code);
    set_account_data(&bob, "m.invite_permission_config", json!({}));
    assert_eq!(invitations(&bob, "").0, 1);
    bob.ok("POST", &path(&room, "join"), Value::Null);
}

#[test]
fn who_blocks_invitations_gets_none_from_other_servers() {
    let servers = Neighbours::new();
    let alice = servers.clients[0].register("alice");
    let bob = servers.clients[1].register("bob");
    set_account_data(&bob, "m.invite_permission_config", json!({"default_action": "block"}));
    let room = create(&alice, json!({"preset": "private_chat"}));
    let invite = json!({"user_id": bob.user_id});
    let code = "M_INVITE_BLOCKED";
    alice.refused("POST", &path(&room, "invite"), invite.clone(), 403, code);
    alice.refused("POST", "/_matrix/client/v3/createRoom", json!({"invite": [bob.user_id]}), 403, code);
    servers.settle();
    assert_eq!(invitations(&bob, "").0, 0);
    // Nothing of it is in the room either.
    let member = path(&room, &format!("state/m.room.member/{}", bob.user_id));
    alice.refused("GET", &member, Value::Null, 404, "M_NOT_FOUND");
    set_account_data(&bob, "m.invite_permission_config", json!({}));
    alice.ok("POST", &path(&room, "invite"), invite);
    servers.settle();
    assert_eq!(invitations(&bob, "").0, 1);
}

#[test]
fn invitations_of_ignored_users_are_not_shown() {
    let alice = Client::registered("alice");
    let (bob, carol) = (alice.register("bob"), alice.register("carol"));
    set_account_data(&bob, "m.ignored_user_list", json!({"ignored_users": {(alice.user_id.as_str()): {}}}));
    let (_, since) = invitations(&bob, "");
    create(&alice, json!({"invite": [bob.user_id]}));
    create(&carol, json!({"invite": [bob.user_id]}));
    assert_eq!(invitations(&bob, &since).0, 1);
    assert_eq!(invitations(&bob, "").0, 1);
}

fn guest(client: &Client) -> Client {
    client.with_session(&client.ok("POST", "/_matrix/client/v3/register?kind=guest", json!({})))
}

#[test]
fn guests_leave_when_the_room_lets_them_in_no_more() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let guest = guest(&alice);
    let room = create(&alice, json!({"preset": "public_chat"}));
    guest.refused("POST", &path(&room, "join"), Value::Null, 403, "M_GUEST_ACCESS_FORBIDDEN");
    let access = path(&room, "state/m.room.guest_access");
    alice.ok("PUT", &access, json!({"guest_access": "can_join"}));
    guest.ok("POST", &path(&room, "join"), Value::Null);
    bob.ok("POST", &path(&room, "join"), Value::Null);
    guest.ok("PUT", &path(&room, "send/m.room.message/1"), json!({"msgtype": "m.text", "body": "hi"}));
    alice.ok("PUT", &access, json!({"guest_access": "forbidden"}));
    let joined = alice.ok("GET", &path(&room, "joined_members"), Value::Null);
    let joined: Vec<&String> = joined["joined"].as_object().unwrap().keys().collect();
    assert_eq!(joined, [&alice.user_id, &bob.user_id]);
    let filter = "%7B%22room%22:%7B%22include_leave%22:true%7D%7D";
    let left = guest.ok("GET", &format!("/_matrix/client/v3/sync?filter={filter}"), Value::Null);
    assert!(left["rooms"]["leave"][&room].is_object());
}
