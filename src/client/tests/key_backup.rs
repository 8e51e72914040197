use serde_json::{Value, json};

use crate::testing::Client;

const BACKUP: &str = "/_matrix/client/v3/room_keys";

fn backed_up(is_verified: bool, index: u32) -> Value {
    json!({"is_verified": is_verified, "first_message_index": index, "forwarded_count": 0,
        "session_data": {"ciphertext": format!("{is_verified} {index}")}})
}

#[test]
fn a_backup_keeps_the_better_keys_and_counts_them() {
    let alice = Client::registered("alice");
    let algorithm = json!({"algorithm": "org.test", "auth_data": {"a": 1}});
    alice.refused("GET", &format!("{BACKUP}/version"), Value::Null, 404, "M_NOT_FOUND");
    let made = alice.ok("POST", &format!("{BACKUP}/version"), algorithm);
    assert_eq!(made, json!({"version": "1"}));
    let at = |place: &str| format!("{BACKUP}/keys{place}?version=1");
    let session = at("/!room:a.test/session");
    let state = |etag: &str, count: u32| json!({"etag": etag, "count": count});
    assert_eq!(alice.ok("PUT", &session, backed_up(false, 5)), state("1", 1));
    assert_eq!(alice.ok("PUT", &session, backed_up(false, 6)), state("1", 1));
    assert_eq!(alice.ok("PUT", &session, backed_up(true, 9)), state("2", 1));
    assert_eq!(alice.ok("GET", &session, Value::Null), backed_up(true, 9));
    let more =
        json!({"rooms": {"!other:a.test": {"sessions": {"x": backed_up(true, 0), "y": backed_up(true, 0)}}}});
    assert_eq!(alice.ok("PUT", &at(""), more), state("3", 3));
    let sessions = json!({"sessions": {"session": backed_up(true, 3)}});
    assert_eq!(alice.ok("PUT", &at("/!room:a.test"), sessions.clone()), state("4", 3));
    assert_eq!(alice.ok("GET", &at("/!room:a.test"), Value::Null), sessions);
    assert_eq!(alice.ok("GET", &at("/!none:a.test"), Value::Null), json!({"sessions": {}}));
    alice.refused("GET", &at("/!room:a.test/none"), Value::Null, 404, "M_NOT_FOUND");
    assert_eq!(alice.ok("DELETE", &at("/!other:a.test/x"), Value::Null), state("5", 2));
    assert_eq!(alice.ok("DELETE", &at("/!other:a.test"), Value::Null), state("6", 1));
    let rooms = alice.ok("GET", &at(""), Value::Null);
    assert_eq!(rooms, json!({"rooms": {"!room:a.test": sessions}}));
    assert_eq!(alice.ok("DELETE", &at(""), Value::Null), state("7", 0));
}

#[test]
fn keys_go_to_the_latest_backup_alone() {
    let alice = Client::registered("alice");
    let algorithm = |data: u32| json!({"algorithm": "org.test", "auth_data": {"a": data}});
    for _ in 0..2 {
        alice.ok("POST", &format!("{BACKUP}/version"), algorithm(1));
    }
    let session = |version: &str| format!("{BACKUP}/keys/!room:a.test/session?version={version}");
    let refused = alice.refused("PUT", &session("1"), backed_up(true, 1), 403, "M_WRONG_ROOM_KEYS_VERSION");
    assert_eq!(refused["current_version"], json!("2"));
    alice.refused("PUT", &session("3"), backed_up(true, 1), 404, "M_NOT_FOUND");
    alice.refused("PUT", &session("2"), json!({"session_data": {}}), 400, "M_BAD_JSON");
    alice.ok("PUT", &format!("{BACKUP}/version/2"), algorithm(7));
    let other = json!({"algorithm": "org.other", "auth_data": {}});
    alice.refused("PUT", &format!("{BACKUP}/version/2"), other, 400, "M_INVALID_PARAM");
    let misnamed = json!({"algorithm": "org.test", "auth_data": {}, "version": "1"});
    alice.refused("PUT", &format!("{BACKUP}/version/2"), misnamed, 400, "M_INVALID_PARAM");
    let latest = alice.ok("GET", &format!("{BACKUP}/version"), Value::Null);
    let expected =
        json!({"version": "2", "algorithm": "org.test", "auth_data": {"a": 7}, "count": 0, "etag": "0"});
    assert_eq!(latest, expected);
    alice.ok("DELETE", &format!("{BACKUP}/version/2"), Value::Null);
    alice.ok("DELETE", &format!("{BACKUP}/version/2"), Value::Null);
    for never in ["3", "0", "x"] {
        alice.refused("DELETE", &format!("{BACKUP}/version/{never}"), Value::Null, 404, "M_NOT_FOUND");
    }
    assert_eq!(alice.ok("GET", &format!("{BACKUP}/version"), Value::Null)["version"], json!("1"));
}
