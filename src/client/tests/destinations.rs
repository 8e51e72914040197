use serde_json::{Value, json};

use crate::testing::{Client, Neighbours};

const DESTINATIONS: &str = "/_synapse/admin/v1/federation/destinations";

/// Two servers with a room that users of both are in, the operator of the first, and its user.
struct Story {
    servers: Neighbours,
    operator: Client,
    alice: Client,
    room: String,
}

impl Story {
    fn new() -> Self {
        let servers = Neighbours::new();
        servers.clients[0].world.configure(|config| config.admin_token = Some("operator".to_owned()));
        let operator = Client { token: Some("operator".to_owned()), ..servers.clients[0].clone() };
        let (alice, bob) = (servers.clients[0].register("alice"), servers.clients[1].register("bob"));
        let room = alice.ok("POST", "/_matrix/client/v3/createRoom", json!({"preset": "public_chat"}));
        let room = room["room_id"].as_str().unwrap().to_owned();
        bob.ok("POST", &format!("/_matrix/client/v3/join/{room}?via=one.test"), json!({}));
        servers.settle();
        let story = Self { servers, operator, alice, room };
        story.say("1");
        story
    }

    fn say(&self, txn: &str) {
        let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/{txn}", self.room);
        self.alice.ok("PUT", &path, json!({"msgtype": "m.text", "body": txn}));
        self.servers.settle();
    }

    fn of_two(&self) -> Value {
        self.operator.ok("GET", &format!("{DESTINATIONS}/two.test"), Value::Null)
    }

    fn sent(&self) -> Value {
        self.operator.ok("GET", &format!("{DESTINATIONS}/two.test/rooms"), Value::Null)
    }
}

#[test]
fn an_operator_sees_to_whom_something_was_sent_and_of_which_rooms() {
    let story = Story::new();
    let healthy = json!({
        "destination": "two.test", "retry_last_ts": 0, "retry_interval": 0, "failure_ts": null,
        "last_successful_stream_ordering": null,
    });
    assert_eq!(story.of_two(), healthy);
    let all = story.operator.ok("GET", DESTINATIONS, Value::Null);
    assert_eq!(all, json!({"destinations": [healthy], "total": 1}));
    let before = story.sent();
    assert_eq!((&before["total"], &before["rooms"][0]["room_id"]), (&json!(1), &json!(story.room)));
    story.say("2");
    let position = |sent: &Value| sent["rooms"][0]["stream_ordering"].as_u64().unwrap();
    assert!(position(&story.sent()) > position(&before));
}

#[test]
fn an_operator_sees_since_when_a_server_fails_and_may_have_it_tried_at_once() {
    let story = Story::new();
    let reset = format!("{DESTINATIONS}/two.test/reset_connection");
    story.operator.refused("POST", &reset, json!({}), 400, "M_UNKNOWN");
    story.servers.cut(true);
    let since = story.alice.world.now();
    story.say("lost");
    let failing = story.of_two();
    assert!(failing["failure_ts"].as_u64().unwrap() >= since, "{failing}");
    assert!(failing["retry_last_ts"].as_u64().unwrap() >= since, "{failing}");
    assert!(failing["retry_interval"].as_u64().unwrap() > 0, "{failing}");
    let before = story.sent();
    story.servers.cut(false);
    story.servers.settle();
    assert_eq!(story.sent(), before, "it waits for its time");
    assert_eq!(story.operator.ok("POST", &reset, json!({})), json!({}));
    story.servers.settle();
    assert_eq!(story.of_two()["failure_ts"], Value::Null);
    assert_ne!(story.sent(), before);
}

#[test]
fn destinations_are_listed_in_pages_in_either_order_and_by_a_part_of_the_name() {
    let story = Story::new();
    for server in ["a.test", "b.example", "c.test"] {
        let path = format!("/_matrix/client/v3/rooms/{}/invite", story.room);
        let (status, _) = story.alice.request("POST", &path, json!({"user_id": format!("@x:{server}")}));
        assert_ne!(status, 200);
        let to_device = json!({"messages": {format!("@x:{server}"): {"*": {"a": 1}}}});
        let path = format!("/_matrix/client/v3/sendToDevice/m.test/{server}");
        story.alice.ok("PUT", &path, to_device);
    }
    story.servers.settle();
    let list = |query: &str| {
        let answer = story.operator.ok("GET", &format!("{DESTINATIONS}{query}"), Value::Null);
        let names = answer["destinations"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|one| one["destination"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), answer["total"].as_u64().unwrap(), answer.get("next_token").cloned())
    };
    assert_eq!(list(""), ("a.test b.example c.test two.test".to_owned(), 4, None));
    assert_eq!(list("?dir=b&limit=3"), ("two.test c.test b.example".to_owned(), 4, Some(json!("3"))));
    assert_eq!(list("?dir=b&limit=3&from=3"), ("a.test".to_owned(), 4, None));
    assert_eq!(list("?destination=.test&limit=2"), ("a.test c.test".to_owned(), 3, Some(json!("2"))));
    assert_eq!(list("?from=9"), (String::new(), 4, None));
    for wrong in ["?from=x", "?limit=-1", "?dir=up", "?order_by=failure_ts"] {
        let path = format!("{DESTINATIONS}{wrong}");
        story.operator.refused("GET", &path, Value::Null, 400, "M_INVALID_PARAM");
    }
}

#[test]
fn destinations_are_for_operators_and_only_those_that_something_was_sent_to() {
    let story = Story::new();
    for (method, rest) in [("GET", ""), ("GET", "/rooms"), ("POST", "/reset_connection")] {
        let body = if method == "POST" { json!({}) } else { Value::Null };
        let path = format!("{DESTINATIONS}/two.test{rest}");
        story.alice.refused(method, &path, body.clone(), 403, "M_FORBIDDEN");
        for unknown in ["never.test", "two", "two.tes", "%20"] {
            let path = format!("{DESTINATIONS}/{unknown}{rest}");
            story.operator.refused(method, &path, body.clone(), 404, "M_NOT_FOUND");
        }
    }
    story.alice.refused("GET", DESTINATIONS, Value::Null, 403, "M_FORBIDDEN");
}
