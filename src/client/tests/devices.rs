use serde_json::{Value, json};

use crate::testing::{Client, PASSWORD};

const DEVICES: &str = "/_matrix/client/v3/devices";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

fn path(client: &Client) -> String {
    format!("{DEVICES}/{}", client.device_id)
}

#[test]
fn a_device_is_shown_and_renamed() {
    let alice = Client::registered("alice");
    alice.ok("PUT", &path(&alice), json!({"display_name": "phone"}));
    let device = alice.ok("GET", &path(&alice), Value::Null);
    assert_eq!((&device["display_name"], &device["last_seen_ip"]), (&json!("phone"), &json!("192.0.2.1")));
    let other = alice.log_in_again();
    let list = alice.ok("GET", DEVICES, Value::Null);
    assert_eq!(list["devices"].as_array().unwrap().len(), 2);
    assert_ne!(other.device_id, alice.device_id);
}

#[test]
fn an_unknown_device_is_not_found() {
    let alice = Client::registered("alice");
    let unknown = format!("{DEVICES}/unknown");
    alice.refused("GET", &unknown, Value::Null, 404, "M_NOT_FOUND");
    alice.refused("PUT", &unknown, json!({"display_name": "x"}), 404, "M_NOT_FOUND");
    alice.refused("PUT", &unknown, json!({}), 404, "M_NOT_FOUND");
    alice.refused("PUT", &path(&alice), json!({"display_name": "x".repeat(300)}), 400, "M_INVALID_PARAM");
}

#[test]
fn a_device_is_deleted_by_its_user_proven_by_password() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let other = alice.log_in_again();
    let (status, asked) = alice.request("DELETE", &path(&other), Value::Null);
    assert_eq!((status, &asked["flows"]), (401, &json!([{"stages": ["m.login.password"]}])));
    let with = |stage: Value| json!({"auth": stage});
    alice.refused("DELETE", &path(&other), with(alice.password_stage("wrong")), 401, "M_FORBIDDEN");
    alice.refused("DELETE", &path(&other), with(bob.password_stage(PASSWORD)), 403, "M_FORBIDDEN");
    alice.ok("GET", &path(&other), Value::Null);
    let mut stage = alice.password_stage(PASSWORD);
    stage["session"] = asked["session"].clone();
    alice.ok("DELETE", &path(&other), with(stage));
    alice.refused("GET", &path(&other), Value::Null, 404, "M_NOT_FOUND");
    other.refused("GET", WHOAMI, Value::Null, 401, "M_UNKNOWN_TOKEN");
}

#[test]
fn a_session_is_good_for_the_device_that_it_was_given_for() {
    let alice = Client::registered("alice");
    let (first, second) = (alice.log_in_again(), alice.log_in_again());
    let (_, asked) = alice.request("DELETE", &path(&first), json!({}));
    let mut stage = alice.password_stage(PASSWORD);
    stage["session"] = asked["session"].clone();
    alice.refused("DELETE", &path(&second), json!({"auth": stage}), 403, "M_FORBIDDEN");
    alice.ok("DELETE", &path(&first), json!({"auth": stage}));
}

#[test]
fn several_devices_are_deleted_at_once() {
    let alice = Client::registered("alice");
    let other = alice.log_in_again();
    let mut body = json!({"devices": [other.device_id, "unknown"]});
    let (status, _) = alice.request("POST", "/_matrix/client/v3/delete_devices", body.clone());
    assert_eq!(status, 401);
    body["auth"] = alice.password_stage(PASSWORD);
    alice.ok("POST", "/_matrix/client/v3/delete_devices", body);
    assert_eq!(alice.ok("GET", DEVICES, Value::Null)["devices"].as_array().unwrap().len(), 1);
}
