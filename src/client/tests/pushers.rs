//! Pushers.

use serde_json::{Value, json};

use crate::testing::{Client, PASSWORD};

const SET: &str = "/_matrix/client/v3/pushers/set";

fn pusher(key: &str) -> Value {
    json!({
        "app_id": "org.example.app", "pushkey": key, "kind": "http", "app_display_name": "App",
        "device_display_name": "Phone", "lang": "en", "profile_tag": "x",
        "data": {"url": "https://push.example.org/_matrix/push/v1/notify", "format": "event_id_only", "a": 1},
    })
}

fn pushers(client: &Client) -> Value {
    client.ok("GET", "/_matrix/client/v3/pushers", Value::Null)["pushers"].clone()
}

#[test]
fn a_pusher_is_set_changed_and_removed() {
    let alice = Client::registered("alice");
    assert_eq!(pushers(&alice), json!([]));
    alice.ok("POST", SET, pusher("key"));
    assert_eq!(pushers(&alice), json!([pusher("key")]));
    let mut changed = pusher("key");
    changed["lang"] = json!("de");
    alice.ok("POST", SET, changed.clone());
    assert_eq!(pushers(&alice), json!([changed]));
    alice.ok("POST", SET, json!({"app_id": "org.example.app", "pushkey": "key", "kind": null}));
    assert_eq!(pushers(&alice), json!([]));
}

#[test]
fn who_has_as_many_pushers_as_there_may_be_can_change_them() {
    let alice = Client::registered("alice");
    for number in 0..100 {
        alice.ok("POST", SET, pusher(&number.to_string()));
    }
    alice.refused("POST", SET, pusher("one more"), 400, "M_UNKNOWN");
    let mut changed = pusher("7");
    changed["lang"] = json!("de");
    alice.ok("POST", SET, changed);
}

#[test]
fn a_malformed_pusher_is_refused() {
    let alice = Client::registered("alice");
    let with = |name: &str, value: Value| {
        let mut body = pusher("key");
        body[name] = value;
        body
    };
    for (body, code) in [
        (json!({"app_id": "a", "pushkey": "k"}), "M_MISSING_PARAM"),
        (with("lang", Value::Null), "M_MISSING_PARAM"),
        (with("pushkey", json!("k".repeat(513))), "M_INVALID_PARAM"),
        (with("kind", json!("email")), "M_INVALID_PARAM"),
        (with("data", json!({})), "M_MISSING_PARAM"),
        (with("data", json!({"url": "http://a.test/_matrix/push/v1/notify"})), "M_INVALID_PARAM"),
        (with("data", json!({"url": "https://a.test/elsewhere"})), "M_INVALID_PARAM"),
        (with("lang", json!(1)), "M_BAD_JSON"),
    ] {
        alice.refused("POST", SET, body, 400, code);
    }
}

#[test]
fn an_installation_belongs_to_the_last_user_unless_it_is_shared() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let mut shared = pusher("key");
    shared["append"] = json!(true);
    alice.ok("POST", SET, pusher("key"));
    bob.ok("POST", SET, shared);
    assert_eq!((pushers(&alice), pushers(&bob)), (json!([pusher("key")]), json!([pusher("key")])));
    bob.ok("POST", SET, pusher("key"));
    assert_eq!((pushers(&alice), pushers(&bob)), (json!([]), json!([pusher("key")])));
}

#[test]
fn a_pusher_goes_with_its_device() {
    let alice = Client::registered("alice");
    let other = alice.log_in_again();
    alice.ok("POST", SET, pusher("mine"));
    other.ok("POST", SET, pusher("other"));
    let body = json!({"new_password": "another horse", "auth": alice.password_stage(PASSWORD)});
    alice.ok("POST", "/_matrix/client/v3/account/password", body);
    assert_eq!(pushers(&alice), json!([pusher("mine")]));
}
