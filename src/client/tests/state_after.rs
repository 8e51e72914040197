//! `use_state_after` `[C-S §6.4]`: clients then go by the state alone, and by nothing in the timeline.

use serde_json::{Value, json};

use super::rooms::{create, path};
use crate::testing::{Client, Neighbours};

fn sync(client: &Client, since: &str) -> Value {
    client.ok("GET", &format!("/_matrix/client/v3/sync?use_state_after=true&since={since}"), Value::Null)
}

fn token(answer: &Value) -> &str {
    answer["next_batch"].as_str().unwrap()
}

#[test]
fn a_declined_invitation_to_a_room_elsewhere_ends_by_the_state() {
    let servers = Neighbours::new();
    let alice = servers.clients[0].register("alice");
    let bob = servers.clients[1].register("bob");
    let room = create(&alice, json!({"preset": "private_chat", "invite": [bob.user_id]}));
    servers.settle();
    let invited = bob.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    assert!(invited["rooms"]["invite"][&room].is_object(), "{invited}");
    bob.ok("POST", &path(&room, "leave"), json!({}));
    let left = sync(&bob, token(&invited));
    let section = &left["rooms"]["leave"][&room];
    let own = &section["state_after"]["events"][0];
    assert_eq!((&own["state_key"], &own["content"]["membership"]), (&json!(bob.user_id), &json!("leave")));
    assert_eq!(section["timeline"]["events"][0], *own);
}

#[test]
fn a_room_with_nothing_but_account_data_has_an_empty_state_after() {
    let alice = Client::registered("alice");
    let room = create(&alice, json!({}));
    let first = alice.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    let tag = format!("/_matrix/client/v3/user/{}/rooms/{room}/tags/u.work", alice.user_id);
    alice.ok("PUT", &tag, json!({}));
    let section = &sync(&alice, token(&first))["rooms"]["join"][&room];
    assert_eq!(section["account_data"]["events"][0]["type"], "m.tag");
    assert_eq!(section["state_after"], json!({"events": []}));
}
