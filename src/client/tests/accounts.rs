use selvedge_durable_objects::config::RegistrationPolicy;
use serde_json::{Value, json};

use crate::testing::{Client, PASSWORD};

const REGISTER: &str = "/_matrix/client/v3/register";
const LOGIN: &str = "/_matrix/client/v3/login";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";

fn registration(name: &str) -> Value {
    json!({"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}})
}

fn password_login(user: &str, password: &str) -> Value {
    json!({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": password})
}

#[test]
fn registration_asks_for_a_stage_and_takes_it() {
    let client = Client::new();
    let (status, asked) =
        client.request("POST", REGISTER, json!({"username": "alice", "password": PASSWORD}));
    assert_eq!((status, &asked["flows"]), (401, &json!([{"stages": ["m.login.dummy"]}])));
    assert!(asked.get("errcode").is_none() && asked["params"].is_object());
    let mut body = registration("alice");
    body["auth"]["session"] = asked["session"].clone();
    let answer = client.ok("POST", REGISTER, body);
    assert_eq!(answer["user_id"], "@alice:selvedge.test");
    assert!(answer["device_id"].is_string());
    let me = client.with_session(&answer).ok("GET", WHOAMI, Value::Null);
    assert_eq!(me, json!({"user_id": "@alice:selvedge.test", "device_id": answer["device_id"]}));
}

#[test]
fn a_password_is_as_long_as_the_server_wants() {
    let client = Client::new();
    client.world.configure(|config| config.min_password_length = 14);
    client.refused("POST", REGISTER, registration("alice"), 400, "M_WEAK_PASSWORD");
    client.world.configure(|config| config.min_password_length = 13);
    let client = client.register("alice");
    let auth = client.password_stage(PASSWORD);
    let change = |password: &str| json!({"new_password": password, "auth": auth});
    let path = "/_matrix/client/v3/account/password";
    client.refused("POST", path, change("twelve chars"), 400, "M_WEAK_PASSWORD");
    client.refused("POST", path, change(&"a".repeat(513)), 400, "M_INVALID_PARAM");
    client.ok("POST", path, change("thirteen chars"));
}

#[test]
fn a_session_that_the_server_did_not_give_is_refused() {
    let client = Client::new();
    let mut body = registration("alice");
    body["auth"]["session"] = json!("made.up");
    let answer = client.refused("POST", REGISTER, body, 401, "M_FORBIDDEN");
    assert!(answer["session"].is_string());
}

#[test]
fn a_user_name_keeps_to_the_grammar() {
    let client = Client::new();
    for name in ["a!", "a:b", "@a", "a b", "é", "a\n", "", "a\\"] {
        client.refused("POST", REGISTER, registration(name), 400, "M_INVALID_USERNAME");
    }
    client.refused("POST", REGISTER, registration(&"a".repeat(300)), 400, "M_INVALID_USERNAME");
    let answer = client.ok("POST", REGISTER, registration("Q3._=-/+"));
    assert_eq!(answer["user_id"], "@q3._=-/+:selvedge.test");
}

#[test]
fn a_taken_name_is_told_before_and_at_registration() {
    let client = Client::registered("alice");
    client.refused("POST", REGISTER, registration("Alice"), 400, "M_USER_IN_USE");
    let available = |name: &str| format!("/_matrix/client/v3/register/available?username={name}");
    client.refused("GET", &available("alice"), Value::Null, 400, "M_USER_IN_USE");
    client.refused("GET", &available("a,b"), Value::Null, 400, "M_INVALID_USERNAME");
    assert_eq!(client.ok("GET", &available("bob"), Value::Null), json!({"available": true}));
}

#[test]
fn a_name_is_made_up_for_who_gives_none() {
    let body = json!({"password": PASSWORD, "auth": {"type": "m.login.dummy"}});
    let answer = Client::new().ok("POST", REGISTER, body);
    assert_eq!(answer["user_id"].as_str().unwrap().len(), "@:selvedge.test".len() + 16);
}

#[test]
fn a_client_may_register_without_logging_in() {
    let mut body = registration("alice");
    body["inhibit_login"] = json!(true);
    assert_eq!(Client::new().ok("POST", REGISTER, body), json!({"user_id": "@alice:selvedge.test"}));
}

#[test]
fn closed_registration_is_forbidden() {
    let client = Client::new();
    client.world.configure(|config| config.registration = RegistrationPolicy::Closed);
    client.refused("POST", REGISTER, registration("alice"), 403, "M_FORBIDDEN");
    client.refused(
        "POST",
        "/_matrix/client/v3/register?kind=guest",
        json!({}),
        403,
        "M_GUEST_ACCESS_FORBIDDEN",
    );
}

#[test]
fn a_guest_is_registered_without_a_stage() {
    let client = Client::new();
    let answer = client.ok("POST", "/_matrix/client/v3/register?kind=guest", json!({}));
    let me = client.with_session(&answer).ok("GET", WHOAMI, Value::Null);
    assert_eq!(me["is_guest"], true);
}

#[test]
fn a_user_logs_in_by_id_or_name_in_any_case() {
    let client = Client::registered("alice");
    for user in ["alice", "ALICE", "@alice:selvedge.test", "@Alice:selvedge.test"] {
        let answer = client.ok("POST", LOGIN, password_login(user, PASSWORD));
        client.with_session(&answer).ok("GET", WHOAMI, Value::Null);
    }
}

#[test]
fn a_log_in_that_fails_is_forbidden() {
    let client = Client::registered("alice");
    for (user, password) in [("alice", "wrong"), ("nobody", PASSWORD), ("@alice:elsewhere.test", PASSWORD)] {
        client.refused("POST", LOGIN, password_login(user, password), 403, "M_FORBIDDEN");
    }
    let by_mail = json!({"type": "m.login.password", "password": PASSWORD,
        "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": "a@example.org"}});
    client.refused("POST", LOGIN, by_mail, 403, "M_FORBIDDEN");
}

#[test]
fn a_log_in_of_the_wrong_form_is_refused() {
    let client = Client::new();
    client.refused("POST", LOGIN, json!({}), 400, "M_MISSING_PARAM");
    client.refused("POST", LOGIN, json!([]), 400, "M_BAD_JSON");
    client.refused("POST", LOGIN, json!({"type": 1}), 400, "M_BAD_JSON");
    client.refused("POST", LOGIN, json!({"type": "m.login.unheard.of"}), 400, "M_UNKNOWN");
    let (status, answer) = client.raw("POST", LOGIN, b"not json".to_vec());
    assert_eq!((status, answer["errcode"].as_str()), (400, Some("M_NOT_JSON")));
}

#[test]
fn a_token_stops_working_at_log_out() {
    let alice = Client::registered("alice");
    let other = alice.log_in_again();
    alice.ok("POST", "/_matrix/client/v3/logout", Value::Null);
    let answer = alice.refused("GET", WHOAMI, Value::Null, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(answer["soft_logout"], false);
    other.ok("POST", "/_matrix/client/v3/logout/all", Value::Null);
    other.refused("GET", WHOAMI, Value::Null, 401, "M_UNKNOWN_TOKEN");
}

#[test]
fn a_request_without_a_token_says_so() {
    Client::new().refused("GET", WHOAMI, Value::Null, 401, "M_MISSING_TOKEN");
}

#[test]
fn an_access_token_is_refreshed() {
    let client = Client::registered("alice");
    let mut body = password_login("alice", PASSWORD);
    body["refresh_token"] = json!(true);
    let answer = client.ok("POST", LOGIN, body);
    assert!(answer["expires_in_ms"].is_u64());
    let refreshed =
        client.ok("POST", "/_matrix/client/v3/refresh", json!({"refresh_token": answer["refresh_token"]}));
    assert!(refreshed["expires_in_ms"].is_u64());
    client.with_session(&refreshed).ok("GET", WHOAMI, Value::Null);
    let unknown = json!({"refresh_token": "svr_nothing"});
    client.refused("POST", "/_matrix/client/v3/refresh", unknown, 401, "M_UNKNOWN_TOKEN");
}

#[test]
fn an_address_that_tries_too_often_is_told_to_wait() {
    let client = Client::registered("alice");
    client.world.configure(|config| config.rate_limits = true);
    for user in 0..30 {
        client.refused("POST", LOGIN, password_login(&format!("guess{user}"), "x"), 403, "M_FORBIDDEN");
    }
    let answer = client.refused("POST", LOGIN, password_login("alice", PASSWORD), 429, "M_LIMIT_EXCEEDED");
    assert!(answer["retry_after_ms"].as_u64().unwrap() <= 2_000);
}
