use serde_json::{Value, json};

use crate::testing::{Client, PASSWORD};

const LOGIN: &str = "/_matrix/client/v3/login";
const WHOAMI: &str = "/_matrix/client/v3/account/whoami";
const CHANGE: &str = "/_matrix/client/v3/account/password";
const DEACTIVATE: &str = "/_matrix/client/v3/account/deactivate";

fn log_in(client: &Client, password: &str) -> (u16, Value) {
    let mut body = client.password_stage(password);
    body["type"] = json!("m.login.password");
    client.request("POST", LOGIN, body)
}

#[test]
fn a_changed_password_logs_the_other_devices_out() {
    let alice = Client::registered("alice");
    let other = alice.log_in_again();
    alice.ok("POST", CHANGE, json!({"new_password": "new", "auth": alice.password_stage(PASSWORD)}));
    assert_eq!(log_in(&alice, PASSWORD).0, 403);
    assert_eq!(log_in(&alice, "new").0, 200);
    alice.ok("GET", WHOAMI, Value::Null);
    other.refused("GET", WHOAMI, Value::Null, 401, "M_UNKNOWN_TOKEN");
}

#[test]
fn a_changed_password_may_leave_the_other_devices_logged_in() {
    let alice = Client::registered("alice");
    let other = alice.log_in_again();
    let stage = alice.password_stage(PASSWORD);
    alice.ok("POST", CHANGE, json!({"new_password": "new", "logout_devices": false, "auth": stage}));
    other.ok("GET", WHOAMI, Value::Null);
}

#[test]
fn a_new_password_must_not_be_empty() {
    let alice = Client::registered("alice");
    let body = json!({"new_password": "", "auth": alice.password_stage(PASSWORD)});
    alice.refused("POST", CHANGE, body, 400, "M_WEAK_PASSWORD");
    assert_eq!(log_in(&alice, PASSWORD).0, 200);
}

#[test]
fn a_deactivated_account_is_closed_and_its_name_stays_taken() {
    let alice = Client::registered("alice");
    alice.refused("POST", DEACTIVATE, json!({"auth": alice.password_stage("wrong")}), 401, "M_FORBIDDEN");
    let answer = alice.ok("POST", DEACTIVATE, json!({"auth": alice.password_stage(PASSWORD)}));
    assert_eq!(answer, json!({"id_server_unbind_result": "success"}));
    alice.refused("GET", WHOAMI, Value::Null, 401, "M_UNKNOWN_TOKEN");
    let (status, answer) = log_in(&alice, PASSWORD);
    assert_eq!((status, answer["errcode"].as_str()), (403, Some("M_USER_DEACTIVATED")));
    let available = "/_matrix/client/v3/register/available?username=alice";
    Client { token: None, ..alice }.refused("GET", available, Value::Null, 400, "M_USER_IN_USE");
}

#[test]
fn a_login_token_logs_another_device_in_once() {
    let alice = Client::registered("alice");
    let get_token = "/_matrix/client/v1/login/get_token";
    assert_eq!(alice.request("POST", get_token, json!({})).0, 401);
    let issued = alice.ok("POST", get_token, json!({"auth": alice.password_stage(PASSWORD)}));
    assert_eq!(issued["expires_in_ms"], 120_000);
    let body = json!({"type": "m.login.token", "token": issued["login_token"]});
    assert_eq!(alice.ok("POST", LOGIN, body.clone())["user_id"], "@alice:selvedge.test");
    alice.refused("POST", LOGIN, body, 403, "M_FORBIDDEN");
    let late = alice.ok("POST", get_token, json!({"auth": alice.password_stage(PASSWORD)}));
    alice.world.advance(120_000);
    let body = json!({"type": "m.login.token", "token": late["login_token"]});
    alice.refused("POST", LOGIN, body, 403, "M_FORBIDDEN");
}

#[test]
fn an_openid_token_tells_who_gave_it() {
    let alice = Client::registered("alice");
    let path = |user: &str| format!("/_matrix/client/v3/user/{user}/openid/request_token");
    alice.refused("POST", &path("@bob:selvedge.test"), json!({}), 403, "M_FORBIDDEN");
    let issued = alice.ok("POST", &path("@alice:selvedge.test"), json!({}));
    assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(issued["matrix_server_name"], "selvedge.test");
    let userinfo = "/_matrix/federation/v1/openid/userinfo?access_token=";
    let anyone = Client { token: None, ..alice.clone() };
    let sub =
        anyone.ok("GET", &format!("{userinfo}{}", issued["access_token"].as_str().unwrap()), Value::Null);
    assert_eq!(sub, json!({"sub": "@alice:selvedge.test"}));
    let access = alice.token.unwrap();
    anyone.refused("GET", &format!("{userinfo}{access}"), Value::Null, 401, "M_UNKNOWN_TOKEN");
}

#[test]
fn an_openid_token_is_good_for_an_hour_and_for_nothing_else() {
    let alice = Client::registered("alice");
    let request = "/_matrix/client/v3/user/@alice:selvedge.test/openid/request_token";
    let token =
        |client: &Client| client.ok("POST", request, json!({}))["access_token"].as_str().unwrap().to_owned();
    let issued = token(&alice);
    let holder = Client { token: Some(issued.clone()), ..alice.clone() };
    holder.refused("GET", WHOAMI, Value::Null, 401, "M_UNKNOWN_TOKEN");
    let log_in = json!({"type": "m.login.token", "token": issued});
    alice.refused("POST", LOGIN, log_in, 403, "M_FORBIDDEN");
    let anyone = Client { token: None, ..alice.clone() };
    let userinfo = |token: &str| format!("/_matrix/federation/v1/openid/userinfo?access_token={token}");
    anyone.ok("GET", &userinfo(&issued), Value::Null);
    alice.world.advance(3_599_000);
    anyone.ok("GET", &userinfo(&issued), Value::Null);
    alice.world.advance(1_000);
    anyone.refused("GET", &userinfo(&issued), Value::Null, 401, "M_UNKNOWN_TOKEN");

    // A new password ends the sessions, and what they handed on; a closed account vouches for nobody.
    let issued = token(&alice);
    let proof = alice.password_stage(PASSWORD);
    alice.ok("POST", CHANGE, json!({"new_password": "another one", "auth": proof}));
    anyone.refused("GET", &userinfo(&issued), Value::Null, 401, "M_UNKNOWN_TOKEN");
    let issued = token(&alice);
    let proof = alice.password_stage("another one");
    alice.ok("POST", "/_matrix/client/v3/account/deactivate", json!({"auth": proof}));
    anyone.refused("GET", &userinfo(&issued), Value::Null, 401, "M_UNKNOWN_TOKEN");
}

#[test]
fn logging_out_everywhere_ends_what_was_handed_on() {
    let alice = Client::registered("alice");
    let request = "/_matrix/client/v3/user/@alice:selvedge.test/openid/request_token";
    let open_id = alice.ok("POST", request, json!({}))["access_token"].as_str().unwrap().to_owned();
    let proof = json!({"auth": alice.password_stage(PASSWORD)});
    let issued = alice.ok("POST", "/_matrix/client/v1/login/get_token", proof);
    alice.ok("POST", "/_matrix/client/v3/logout/all", Value::Null);
    let log_in = json!({"type": "m.login.token", "token": issued["login_token"]});
    alice.refused("POST", LOGIN, log_in, 403, "M_FORBIDDEN");
    let userinfo = format!("/_matrix/federation/v1/openid/userinfo?access_token={open_id}");
    alice.refused("GET", &userinfo, Value::Null, 401, "M_UNKNOWN_TOKEN");
}

#[test]
fn a_guest_becomes_a_full_user_under_the_same_name() {
    let client = Client::new();
    let guest = client.with_session(&client.ok("POST", "/_matrix/client/v3/register?kind=guest", json!({})));
    guest.refused("POST", CHANGE, json!({"new_password": "x"}), 403, "M_GUEST_ACCESS_FORBIDDEN");
    let name = guest.user_id.split_once(':').unwrap().0.trim_start_matches('@').to_owned();
    let mut body = json!({"username": "other", "password": PASSWORD, "guest_access_token": guest.token,
        "auth": {"type": "m.login.dummy"}});
    client.refused("POST", "/_matrix/client/v3/register", body.clone(), 400, "M_INVALID_USERNAME");
    body["username"] = json!(name);
    let user = client.with_session(&client.ok("POST", "/_matrix/client/v3/register", body));
    assert_eq!(user.ok("GET", WHOAMI, Value::Null).get("is_guest"), None);
    assert_eq!(log_in(&user, PASSWORD).0, 200);
}

#[test]
fn a_locked_account_can_do_nothing_but_log_out() {
    let mut admin = Client::registered("alice");
    let alice = admin.clone();
    admin.world.configure(|config| config.admin_token = Some("operator".to_owned()));
    admin.token = Some("operator".to_owned());
    let lock = "/_matrix/client/v1/admin/lock/@alice:selvedge.test";
    assert_eq!(admin.ok("PUT", lock, json!({"locked": true})), json!({"locked": true}));
    let answer = alice.refused("GET", WHOAMI, Value::Null, 401, "M_USER_LOCKED");
    assert_eq!(answer["soft_logout"], true);
    assert_eq!(log_in(&alice, PASSWORD).1["errcode"], "M_USER_LOCKED");
    admin.ok("PUT", lock, json!({"locked": false}));
    alice.ok("GET", WHOAMI, Value::Null);
    admin.ok("PUT", lock, json!({"locked": true}));
    alice.ok("POST", "/_matrix/client/v3/logout", Value::Null);
    admin.refused("GET", "/_matrix/client/v1/admin/lock/@a:other.test", Value::Null, 400, "M_INVALID_PARAM");
    admin.refused("GET", "/_matrix/client/v1/admin/lock/@no:selvedge.test", Value::Null, 404, "M_NOT_FOUND");
    let suspend = "/_matrix/client/v1/admin/suspend/@alice:selvedge.test";
    assert_eq!(admin.ok("PUT", suspend, json!({"suspended": true})), json!({"suspended": true}));
    assert_eq!(admin.ok("GET", suspend, Value::Null), json!({"suspended": true}));
}

#[test]
fn there_is_no_contact_information() {
    let alice = Client::registered("alice");
    assert_eq!(alice.ok("GET", "/_matrix/client/v3/account/3pid", Value::Null), json!({"threepids": []}));
    let body = json!({"client_secret": "a", "email": "a@example.org", "send_attempt": 1});
    for (path, code) in [
        ("register/email", "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        ("account/3pid/email", "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
        ("account/password/email", "M_THREEPID_NOT_FOUND"),
    ] {
        alice.refused("POST", &format!("/_matrix/client/v3/{path}/requestToken"), body.clone(), 400, code);
    }
    let body = json!({"client_secret": "a", "sid": "b"});
    alice.refused("POST", "/_matrix/client/v3/account/3pid/add", body, 403, "M_THREEPID_AUTH_FAILED");
}

#[test]
fn capabilities_say_what_is_so() {
    let alice = Client::registered("alice");
    let capabilities = &alice.ok("GET", "/_matrix/client/v3/capabilities", Value::Null)["capabilities"];
    assert_eq!(capabilities["m.change_password"], json!({"enabled": true}));
    assert_eq!(capabilities["m.room_versions"]["default"], "12");
    assert_eq!(capabilities["m.room_versions"]["available"].as_object().unwrap().len(), 12);
    assert_eq!(capabilities["m.3pid_changes"], json!({"enabled": false}));
}
