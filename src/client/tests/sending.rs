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
