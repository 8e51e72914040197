//! What reading costs: in proportion to what is shown, not to what there is.

use selvedge_durable_objects::ledger::{self, Ledger};
use serde_json::{Value, json};

use super::rooms::{create, path, say, segment};
use crate::testing::Client;

/// What an operation costs, once everything that lags behind has been brought up to date by an earlier one.
fn cost(client: &Client, operation: impl Fn()) -> Ledger {
    operation();
    client.world.block_on(ledger::scoped(async { operation() })).1
}

fn send(client: &Client, room_id: &str, event_type: &str, txn: &str, content: Value) -> String {
    let target = path(room_id, &format!("send/{event_type}/{txn}"));
    client.ok("PUT", &target, content)["event_id"].as_str().unwrap().to_owned()
}

/// A room with so many messages, a tenth as many threads, and as many reactions to the first message.
fn lively_room(client: &Client, messages: usize) -> (String, String) {
    client.world.advance(1);
    let room_id = create(client, json!({}));
    let first = say(client, &room_id, "first", "word");
    let mut root = first.clone();
    for index in 0..messages {
        let relates_to = json!({"rel_type": "m.annotation", "event_id": first, "key": index.to_string()});
        send(client, &room_id, "m.reaction", &format!("r{index}"), json!({ "m.relates_to": relates_to }));
        if index % 10 == 0 {
            root = say(client, &room_id, &format!("m{index}"), "word");
            continue;
        }
        let relates_to = json!({"rel_type": "m.thread", "event_id": root});
        let content = json!({"msgtype": "m.text", "body": "word", "m.relates_to": relates_to});
        send(client, &room_id, "m.room.message", &format!("m{index}"), content);
    }
    (room_id, first)
}

#[test]
fn reading_costs_what_is_shown_whatever_there_is() {
    let alice = Client::registered("alice");
    let mut costs = Vec::new();
    for messages in [60, 300] {
        let (room_id, first) = lively_room(&alice, messages);
        let get = |rest: &str| {
            let target = path(&room_id, rest).replacen("v3", "v1", 1);
            cost(&alice, || drop(alice.ok("GET", &target, Value::Null)))
        };
        let filter = json!({"room": {"rooms": [room_id], "timeline": {"limit": 20},
            "state": {"lazy_load_members": true}}});
        let filter: String = form_urlencoded::byte_serialize(filter.to_string().as_bytes()).collect();
        let sync = format!("/_matrix/client/v3/sync?filter={filter}");
        let search = |order: &str| {
            let criteria = json!({"search_term": "word", "order_by": order,
                "filter": {"limit": 10, "rooms": [room_id]}});
            let body = json!({"search_categories": {"room_events": criteria}});
            cost(&alice, || drop(alice.ok("POST", "/_matrix/client/v3/search", body.clone())))
        };
        costs.push([
            ("sync", cost(&alice, || drop(alice.ok("GET", &sync, Value::Null)))),
            ("relations", get(&format!("relations/{}?limit=10", segment(&first)))),
            ("threads", get("threads?limit=5")),
            ("search, recent", search("recent")),
            ("search, rank", search("rank")),
        ]);
    }
    for (few, many) in costs[0].iter().zip(&costs[1]) {
        let (name, few, many) = (few.0, few.1, many.1);
        assert!(many.rows_read <= 400, "{name}: {many:?}");
        // The larger room may be a little dearer: a level more in its state tree.
        assert!(many.rows_read <= few.rows_read + 20, "{name}: {few:?}, {many:?}");
        assert!(many.rows_written <= 2, "{name}: {many:?}");
    }
}
