use serde_json::{Value, json};

use crate::testing::Client;

fn profile(user: &str, field: &str) -> String {
    format!("/_matrix/client/v3/profile/@{user}:selvedge.test{field}")
}

#[test]
fn a_profile_is_set_and_seen_by_all() {
    let alice = Client::registered("alice");
    alice.ok("PUT", &profile("alice", "/displayname"), json!({"displayname": "Alice"}));
    alice.ok("PUT", &profile("alice", "/avatar_url"), json!({"avatar_url": "mxc://a/b"}));
    alice.ok(
        "PUT",
        &profile("alice", "/org.example.languages"),
        json!({"org.example.languages": ["en", "fr"]}),
    );
    let anyone = Client { token: None, ..alice.clone() };
    let whole =
        json!({"displayname": "Alice", "avatar_url": "mxc://a/b", "org.example.languages": ["en", "fr"]});
    assert_eq!(anyone.ok("GET", &profile("alice", ""), Value::Null), whole);
    let name = anyone.ok("GET", &profile("alice", "/displayname"), Value::Null);
    assert_eq!(name, json!({"displayname": "Alice"}));
    alice.ok("DELETE", &profile("alice", "/displayname"), Value::Null);
    anyone.refused("GET", &profile("alice", "/displayname"), Value::Null, 404, "M_NOT_FOUND");
    anyone.refused("GET", &profile("nobody", ""), Value::Null, 404, "M_NOT_FOUND");
    let far_away = "/_matrix/client/v3/profile/@someone:unreachable.test";
    anyone.refused("GET", far_away, Value::Null, 404, "M_NOT_FOUND");
}

#[test]
fn an_empty_name_or_avatar_takes_it_back() {
    let alice = Client::registered("alice");
    alice.ok("PUT", &profile("alice", "/displayname"), json!({"displayname": "Alice"}));
    alice.ok("PUT", &profile("alice", "/displayname"), json!({"displayname": ""}));
    assert_eq!(alice.ok("GET", &profile("alice", ""), Value::Null), json!({}));
}

#[test]
fn a_profile_field_keeps_to_its_bounds() {
    let alice = Client::registered("alice");
    let put = |field: &str, body: Value, code: &str| {
        alice.refused("PUT", &profile("alice", &format!("/{field}")), body, 400, code);
    };
    put("displayname", json!({"avatar_url": "x"}), "M_MISSING_PARAM");
    put("displayname", json!({"displayname": 1}), "M_BAD_JSON");
    put("displayname", json!([]), "M_BAD_JSON");
    put("displayname", json!({"displayname": "x".repeat(257)}), "M_INVALID_PARAM");
    put("Bad%20Key", json!({"Bad Key": 1}), "M_INVALID_PARAM");
    put("org.null", json!({"org.null": null}), "M_BAD_JSON");
    let long = "x".repeat(256);
    put(&long, json!({&long: 1}), "M_KEY_TOO_LARGE");
    put("org.large", json!({"org.large": "x".repeat(65_536)}), "M_PROFILE_TOO_LARGE");
    alice.ok("PUT", &profile("alice", "/org.a"), json!({"org.a": "x".repeat(40_000)}));
    put("org.b", json!({"org.b": "x".repeat(40_000)}), "M_PROFILE_TOO_LARGE");
    let (status, answer) = alice.raw("PUT", &profile("alice", "/displayname"), b"{".to_vec());
    assert_eq!((status, answer["errcode"].as_str()), (400, Some("M_NOT_JSON")));
}

#[test]
fn a_profile_is_changed_by_its_user_alone() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let body = json!({"displayname": "Bob"});
    bob.refused("PUT", &profile("alice", "/displayname"), body.clone(), 403, "M_FORBIDDEN");
    bob.refused("DELETE", &profile("alice", "/displayname"), Value::Null, 403, "M_FORBIDDEN");
    let guest = alice.with_session(&alice.ok("POST", "/_matrix/client/v3/register?kind=guest", json!({})));
    let name = guest.user_id.split_once(':').unwrap().0.trim_start_matches('@').to_owned();
    guest.ok("PUT", &profile(&name, "/displayname"), body);
    let avatar = json!({"avatar_url": "mxc://a/b"});
    guest.refused("PUT", &profile(&name, "/avatar_url"), avatar, 403, "M_GUEST_ACCESS_FORBIDDEN");
}

#[test]
fn a_filter_is_kept_as_it_was_written() {
    let alice = Client::registered("alice");
    let filters = "/_matrix/client/v3/user/@alice:selvedge.test/filter";
    let definition = json!({"room": {"timeline": {"limit": 10, "org.example.more": true}}});
    let id = alice.ok("POST", filters, definition.clone())["filter_id"].as_str().unwrap().to_owned();
    assert_eq!(alice.ok("GET", &format!("{filters}/{id}"), Value::Null), definition);
    assert_eq!(alice.ok("POST", filters, definition)["filter_id"], json!(id));
    alice.refused("GET", &format!("{filters}/77"), Value::Null, 404, "M_NOT_FOUND");
    alice.refused("GET", &format!("{filters}/x"), Value::Null, 404, "M_NOT_FOUND");
    alice.refused("POST", filters, json!({"room": 1}), 400, "M_BAD_JSON");
    for broken in [&b"{"[..], b"", b"{\"a\": \"\xff\"}"] {
        let (status, answer) = alice.raw("POST", filters, broken.to_vec());
        assert_eq!((status, answer["errcode"].as_str()), (400, Some("M_NOT_JSON")));
    }
    let others = "/_matrix/client/v3/user/@bob:selvedge.test/filter";
    alice.refused("POST", others, json!({}), 403, "M_FORBIDDEN");
}

const USER: &str = "/_matrix/client/v3/user/@alice:selvedge.test";

#[test]
fn account_data_is_kept_for_all_and_for_a_room() {
    let alice = Client::registered("alice");
    for path in [format!("{USER}/account_data/org.a"), format!("{USER}/rooms/!r:a.test/account_data/org.a")] {
        alice.refused("GET", &path, Value::Null, 404, "M_NOT_FOUND");
        alice.ok("PUT", &path, json!({"a": path}));
        assert_eq!(alice.ok("GET", &path, Value::Null), json!({"a": path}));
        alice.refused("PUT", &path, json!([]), 400, "M_BAD_JSON");
        for broken in [&b"{"[..], b"", b"{\"a\": \"\xff\"}"] {
            let (status, answer) = alice.raw("PUT", &path, broken.to_vec());
            assert_eq!((status, answer["errcode"].as_str()), (400, Some("M_NOT_JSON")));
        }
        assert_eq!(alice.ok("GET", &path, Value::Null), json!({"a": path}));
    }
    let wrong_room = format!("{USER}/rooms/nonsense/account_data/org.a");
    alice.refused("PUT", &wrong_room, json!({}), 400, "M_INVALID_PARAM");
}

#[test]
fn account_data_is_its_users_alone() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    bob.refused("PUT", &format!("{USER}/account_data/org.a"), json!({}), 403, "M_FORBIDDEN");
    bob.refused("GET", &format!("{USER}/account_data/org.a"), Value::Null, 403, "M_FORBIDDEN");
}

#[test]
fn types_that_the_server_manages_are_not_set_by_clients() {
    let alice = Client::registered("alice");
    for kind in ["m.fully_read", "m.push_rules"] {
        for scope in ["", "/rooms/!r:a.test"] {
            let path = format!("{USER}{scope}/account_data/{kind}");
            alice.refused("PUT", &path, json!({}), 405, "M_BAD_JSON");
        }
    }
}

#[test]
fn a_room_is_tagged_and_untagged() {
    let alice = Client::registered("alice");
    let tags = format!("{USER}/rooms/!r:a.test/tags");
    assert_eq!(alice.ok("GET", &tags, Value::Null), json!({"tags": {}}));
    alice.ok("PUT", &format!("{tags}/m.favourite"), json!({"order": 0.25}));
    alice.ok("PUT", &format!("{tags}/u.work"), json!({}));
    let both = json!({"tags": {"m.favourite": {"order": 0.25}, "u.work": {}}});
    assert_eq!(alice.ok("GET", &tags, Value::Null), both);
    let data = format!("{USER}/rooms/!r:a.test/account_data/m.tag");
    assert_eq!(alice.ok("GET", &data, Value::Null), both);
    alice.ok("DELETE", &format!("{tags}/u.work"), Value::Null);
    assert_eq!(alice.ok("GET", &tags, Value::Null)["tags"], json!({"m.favourite": {"order": 0.25}}));
    alice.refused("PUT", &format!("{tags}/{}", "x".repeat(256)), json!({}), 400, "M_INVALID_PARAM");
}
