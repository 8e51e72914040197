use hmac::{Hmac, KeyInit, Mac};
use selvedge_durable_objects::config::RegistrationPolicy;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::testing::{Client, PASSWORD};

const REGISTER: &str = "/_synapse/admin/v1/register";
const TOKENS: &str = "/_synapse/admin/v1/registration_tokens";

fn client_with_secret() -> Client {
    let client = Client::new();
    client.world.configure(|config| config.registration_shared_secret = Some("hush".to_owned()));
    client
}

fn registration(client: &Client, name: &str, is_admin: bool, secret: &str) -> Value {
    let nonce = client.ok("GET", REGISTER, Value::Null)["nonce"].as_str().unwrap().to_owned();
    let role = if is_admin { "admin" } else { "notadmin" };
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{nonce}\0{name}\0{PASSWORD}\0{role}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let mac = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    json!({"nonce": nonce, "username": name, "password": PASSWORD, "admin": is_admin, "mac": mac})
}

pub fn admin() -> Client {
    let client = client_with_secret();
    let answer = client.ok("POST", REGISTER, registration(&client, "root", true, "hush"));
    client.with_session(&answer)
}

#[test]
fn the_holder_of_the_shared_secret_registers_accounts_while_registration_is_closed() {
    let client = client_with_secret();
    client.world.configure(|config| config.registration = RegistrationPolicy::Closed);
    let answer = client.ok("POST", REGISTER, registration(&client, "user-UPPER", false, "hush"));
    assert_eq!(answer["user_id"], "@user-upper:selvedge.test");
    client.with_session(&answer).refused("GET", TOKENS, Value::Null, 403, "M_FORBIDDEN");
}

#[test]
fn a_wrong_secret_name_or_nonce_registers_nobody() {
    let client = client_with_secret();
    client.refused("POST", REGISTER, registration(&client, "eve", true, "guess"), 403, "M_FORBIDDEN");
    client.refused("POST", REGISTER, registration(&client, "us,er", true, "hush"), 400, "M_INVALID_USERNAME");
    let late = registration(&client, "late", true, "hush");
    client.world.advance(60_000);
    client.refused("POST", REGISTER, late, 400, "M_UNKNOWN");
}

#[test]
fn without_a_shared_secret_nobody_is_registered_by_one() {
    Client::new().refused("GET", REGISTER, Value::Null, 400, "M_UNKNOWN");
}

#[test]
fn an_admin_issues_a_token_that_registers_as_often_as_it_says() {
    let admin = admin();
    admin.world.configure(|config| config.registration = RegistrationPolicy::Token);
    let issued = admin.ok("POST", &format!("{TOKENS}/new"), json!({"token": "abc", "uses_allowed": 1}));
    let expected =
        json!({"token": "abc", "uses_allowed": 1, "pending": 0, "completed": 0, "expiry_time": null});
    assert_eq!(issued, expected);
    let validity = "/_matrix/client/v1/register/m.login.registration_token/validity?token=abc";
    assert_eq!(admin.ok("GET", validity, Value::Null), json!({"valid": true}));
    let body = |name: &str, token: &str| {
        let auth = json!({"type": "m.login.registration_token", "token": token});
        json!({"username": name, "password": PASSWORD, "auth": auth})
    };
    let register = "/_matrix/client/v3/register";
    admin.refused("POST", register, body("alice", "guess"), 401, "M_FORBIDDEN");
    let dummy = json!({"username": "alice", "password": PASSWORD, "auth": {"type": "m.login.dummy"}});
    admin.refused("POST", register, dummy, 401, "M_FORBIDDEN");
    admin.ok("POST", register, body("alice", "abc"));
    admin.refused("POST", register, body("bob", "abc"), 401, "M_FORBIDDEN");
    assert_eq!(admin.ok("GET", validity, Value::Null), json!({"valid": false}));
}

#[test]
fn tokens_are_listed_changed_and_removed() {
    let admin = admin();
    let one = format!("{TOKENS}/abc");
    admin.ok("POST", &format!("{TOKENS}/new"), json!({"token": "abc", "uses_allowed": 0}));
    admin.refused("POST", &format!("{TOKENS}/new"), json!({"token": "abc"}), 400, "M_INVALID_PARAM");
    admin.refused("POST", &format!("{TOKENS}/new"), json!({"token": "a b"}), 400, "M_INVALID_PARAM");
    assert_eq!(
        admin.ok("GET", &format!("{TOKENS}?valid=true"), Value::Null)["registration_tokens"],
        json!([])
    );
    assert_eq!(admin.ok("PUT", &one, json!({"uses_allowed": null}))["uses_allowed"], Value::Null);
    assert_eq!(admin.ok("GET", &one, Value::Null)["token"], "abc");
    admin.ok("DELETE", &one, Value::Null);
    admin.refused("GET", &one, Value::Null, 404, "M_NOT_FOUND");
}

#[test]
fn the_admin_token_administers() {
    let mut client = Client::new();
    client.world.configure(|config| config.admin_token = Some("operator".to_owned()));
    client.token = Some("operator".to_owned());
    client.ok("GET", TOKENS, Value::Null);
    client.token = Some("guess".to_owned());
    client.refused("GET", TOKENS, Value::Null, 401, "M_UNKNOWN_TOKEN");
}
