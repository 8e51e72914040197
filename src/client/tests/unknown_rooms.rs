//! Rooms that this server does not know.

use selvedge_durable_objects::{
    database::DatabaseExt,
    params,
    platform::{ActorKind, ActorName},
};
use serde_json::{Value, json};

use crate::testing::Client;

const ROOM: &str = "!no:elsewhere.test";

/// Asserts that nothing of the room is stored.
#[track_caller]
fn assert_nothing_left(client: &Client, after: &str) {
    let actor = ActorName { kind: ActorKind::Room, name: ROOM.to_owned() };
    let database = client.world.database(&actor);
    let tables = database.query("SELECT name FROM sqlite_master", params![], |row| row.get::<String>(0));
    assert_eq!(tables.unwrap(), Vec::<String>::new(), "after {after}");
}

#[test]
fn asking_about_a_room_that_is_not_known_leaves_nothing_behind() {
    let alice = Client::registered("alice");
    let own = [
        "state",
        "state/m.room.name",
        "state/m.room.member/@alice:selvedge.test",
        "members",
        "joined_members",
        "event/$event",
        "context/$event",
        "messages?dir=b",
        "aliases",
        "threads",
        "relations/$event",
        "relations/$event/m.thread",
        "hierarchy",
        "timestamp_to_event?ts=1&dir=f",
    ];
    for path in own {
        let version = if path.starts_with("state") || path.contains("mem") { "v3" } else { "v1" };
        let version = if ["event", "context", "messages", "aliases"].iter().any(|old| path.starts_with(old)) {
            "v3"
        } else {
            version
        };
        let (status, answer) =
            alice.request("GET", &format!("/_matrix/client/{version}/rooms/{ROOM}/{path}"), Value::Null);
        assert!(matches!(status, 403 | 404), "{path}: {status} {answer}");
        assert_ne!(answer["errcode"], "M_UNRECOGNIZED", "{path}");
        assert_nothing_left(&alice, path);
    }
    let (status, _) = alice.request("GET", &format!("/_matrix/client/v1/room_summary/{ROOM}"), Value::Null);
    assert_eq!(status, 404);
    assert_nothing_left(&alice, "room_summary");
}

#[test]
fn acting_in_a_room_that_is_not_known_leaves_nothing_behind() {
    let alice = Client::registered("alice");
    let acts = [
        ("PUT", "send/m.room.message/1", json!({"body": "hello", "msgtype": "m.text"})),
        ("PUT", "state/m.room.topic", json!({"topic": "a"})),
        ("PUT", "redact/$event/1", json!({})),
        ("PUT", "typing/@alice:selvedge.test", json!({"typing": true, "timeout": 1000})),
        ("POST", "receipt/m.read/$event", json!({})),
        ("POST", "read_markers", json!({"m.fully_read": "$event", "m.read": "$event"})),
        ("POST", "report/$event", json!({"reason": "bad"})),
        ("POST", "report", json!({"reason": "bad"})),
        ("POST", "invite", json!({"user_id": "@bob:selvedge.test"})),
        ("POST", "kick", json!({"user_id": "@bob:selvedge.test"})),
        ("POST", "ban", json!({"user_id": "@bob:selvedge.test"})),
        ("POST", "unban", json!({"user_id": "@bob:selvedge.test"})),
        ("POST", "leave", json!({})),
        ("POST", "forget", json!({})),
        ("POST", "upgrade", json!({"new_version": "12"})),
    ];
    for (method, path, body) in acts {
        let (status, answer) =
            alice.request(method, &format!("/_matrix/client/v3/rooms/{ROOM}/{path}"), body);
        assert!(status < 500, "{path}: {status} {answer}");
        assert_ne!(answer["errcode"], "M_UNRECOGNIZED", "{path}");
        assert_nothing_left(&alice, path);
    }
}
