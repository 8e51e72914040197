//! What clients send to rooms, and what is said of what they may not.

use serde_json::{Value, json};

use super::rooms::{create, path, say, segment, state};
use crate::testing::Client;

fn redact(client: &Client, room_id: &str, event_id: &str, txn: &str) -> String {
    let target = path(room_id, &format!("redact/{}/{txn}", segment(event_id)));
    client.ok("PUT", &target, json!({}))["event_id"].as_str().unwrap().to_owned()
}

fn event(client: &Client, room_id: &str, event_id: &str) -> Value {
    client.ok("GET", &path(room_id, &format!("event/{}", segment(event_id))), Value::Null)
}

#[test]
fn a_transaction_of_a_redaction_is_of_one_event() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    let (first, second) = (say(&alice, &room_id, "1", "x"), say(&alice, &room_id, "2", "y"));
    let redaction = redact(&alice, &room_id, &first, "same");
    assert_eq!(redact(&alice, &room_id, &first, "same"), redaction);
    assert_ne!(redact(&alice, &room_id, &second, "same"), redaction);
    assert_eq!(event(&alice, &room_id, &second)["content"], json!({}));
    assert_eq!(event(&alice, &room_id, &redaction)["unsigned"]["transaction_id"], "same");
}

#[test]
fn what_the_room_rests_on_is_not_redacted() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    alice.ok("PUT", &path(&room_id, "state/m.room.server_acl"), json!({"allow": ["*"]}));
    for event_type in ["m.room.create", "m.room.server_acl"] {
        let whole = path(&room_id, &format!("state/{event_type}/?format=event"));
        let event_id = alice.ok("GET", &whole, Value::Null)["event_id"].as_str().unwrap().to_owned();
        let target = path(&room_id, &format!("redact/{}/{event_type}", segment(&event_id)));
        alice.refused("PUT", &target, json!({}), 403, "M_FORBIDDEN");
    }
    let look_alike = alice.ok("PUT", &path(&room_id, "send/m.room.server_acl/1"), json!({"body": "x"}));
    redact(&alice, &room_id, look_alike["event_id"].as_str().unwrap(), "2");
}

#[test]
fn what_is_too_long_for_an_event_is_too_large() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    let long = "x".repeat(256);
    for target in [format!("send/{long}/1"), format!("state/{long}"), format!("state/x/{long}")] {
        alice.refused("PUT", &path(&room_id, &target), json!({}), 413, "M_TOO_LARGE");
    }
    let body = json!({"body": "x".repeat(66_000)});
    alice.refused("PUT", &path(&room_id, "send/m.room.message/2"), body, 413, "M_TOO_LARGE");
}

#[test]
fn what_may_be_left_out_of_a_request_has_its_default() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    alice.ok("PUT", &path(&room_id, &format!("typing/{}", alice.user_id)), json!({"typing": true}));
    let sync = alice.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    let typing = &sync["rooms"]["join"][&room_id]["ephemeral"]["events"][0];
    assert_eq!(typing["content"]["user_ids"], json!([alice.user_id]));
    let listed = format!("/_matrix/client/v3/directory/list/room/{}", segment(&room_id));
    alice.ok("PUT", &listed, json!({}));
    assert_eq!(alice.ok("GET", &listed, Value::Null)["visibility"], "public");
}

#[test]
fn nobody_knocks_at_a_room_of_a_version_without_knocking() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let rule = json!({"type": "m.room.join_rules", "content": {"join_rule": "knock"}});
    let room_id = create(&alice, json!({"room_version": "6", "initial_state": [rule]}));
    let knock = format!("/_matrix/client/v3/knock/{}", segment(&room_id));
    bob.refused("POST", &knock, json!({}), 403, "M_FORBIDDEN");
}

#[test]
fn a_restricted_room_in_which_nobody_may_invite_is_closed() {
    let alice = Client::registered("alice");
    let (bob, carol) = (alice.register("bob"), alice.register("carol"));
    let space = create(&alice, json!({"preset": "public_chat"}));
    let rule = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]});
    let room_id = create(
        &alice,
        json!({
            "room_version": "10", "power_level_content_override": {"invite": 50},
            "initial_state": [{"type": "m.room.join_rules", "content": rule}],
        }),
    );
    for client in [&bob, &carol] {
        client.ok("POST", &path(&space, "join"), json!({}));
    }
    bob.ok("POST", &path(&room_id, "join"), json!({}));
    alice.ok("POST", &path(&room_id, "leave"), json!({}));
    carol.refused("POST", &path(&room_id, "join"), json!({}), 403, "M_FORBIDDEN");
}

#[test]
fn a_member_without_a_name_is_listed_without_one() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    assert_eq!(state(&alice, &room_id, "m.room.member", &alice.user_id), json!({"membership": "join"}));
    let joined = alice.ok("GET", &path(&room_id, "joined_members"), Value::Null);
    let nobody = json!({"display_name": null, "avatar_url": null});
    assert_eq!(joined["joined"][&alice.user_id], nobody);
}
