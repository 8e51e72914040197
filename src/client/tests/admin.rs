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

#[test]
fn an_admin_makes_and_changes_an_account() {
    let admin = admin();
    let target = "/_synapse/admin/v2/users/@alice:selvedge.test";
    admin.refused("GET", target, Value::Null, 404, "M_NOT_FOUND");
    let (status, made) =
        admin.request("PUT", target, json!({"password": PASSWORD, "displayname": "Alice", "admin": false}));
    assert_eq!((status, &made["displayname"], &made["admin"]), (201, &json!("Alice"), &json!(false)));
    let identifier = json!({"type": "m.id.user", "user": "alice"});
    let login = json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD});
    let alice = admin.with_session(&admin.ok("POST", "/_matrix/client/v3/login", login.clone()));
    alice.refused("PUT", target, json!({"admin": true}), 403, "M_FORBIDDEN");
    assert_eq!(admin.ok("PUT", target, json!({"admin": true, "displayname": null}))["admin"], true);
    assert_eq!(alice.ok("GET", target, Value::Null)["displayname"], Value::Null);
    let closed = admin.ok("PUT", target, json!({"deactivated": true}));
    assert_eq!((&closed["deactivated"], &closed["admin"]), (&json!(true), &json!(false)));
    admin.refused("PUT", target, json!({"deactivated": false}), 400, "M_UNKNOWN");
    admin.refused("PUT", "/_synapse/admin/v2/users/@a:other.test", json!({}), 400, "M_UNKNOWN");
}

#[test]
fn an_admin_enters_addresses_by_which_users_log_in() {
    let admin = admin();
    let alice = admin.register("alice");
    admin.register("bob");
    let target = |name: &str| format!("/_synapse/admin/v2/users/@{name}:selvedge.test");
    let ids = json!({"threepids": [{"medium": "email", "address": "Alice@Example.org"}]});
    let now = admin.world.now();
    let kept =
        json!([{"medium": "email", "address": "alice@example.org", "added_at": now, "validated_at": now}]);
    assert_eq!(admin.ok("PUT", &target("alice"), ids.clone())["threepids"], kept);
    admin.refused("PUT", &target("bob"), ids, 400, "M_THREEPID_IN_USE");
    let wrong = json!({"threepids": [{"medium": "email", "address": "nobody"}]});
    admin.refused("PUT", &target("bob"), wrong, 400, "M_INVALID_PARAM");
    let contacts = "/_matrix/client/v3/account/3pid";
    assert_eq!(alice.ok("GET", contacts, Value::Null)["threepids"], kept);
    let own = json!({"medium": "email", "address": "alice@example.org"});
    alice.refused("POST", &format!("{contacts}/delete"), own, 403, "M_FORBIDDEN");
    let log_in = |address: &str| {
        let identifier = json!({"type": "m.id.thirdparty", "medium": "email", "address": address});
        json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD})
    };
    let login = "/_matrix/client/v3/login";
    assert_eq!(admin.ok("POST", login, log_in("alice@EXAMPLE.org"))["user_id"], alice.user_id);
    admin.refused("POST", login, log_in("bob@example.org"), 403, "M_FORBIDDEN");
    let old_form = json!({"type": "m.login.password", "medium": "email", "address": "alice@example.org", "password": PASSWORD});
    assert_eq!(admin.ok("POST", login, old_form)["user_id"], alice.user_id);
    admin.ok(
        "PUT",
        &target("alice"),
        json!({"threepids": [{"medium": "msisdn", "address": "441134960000"}]}),
    );
    admin.refused("POST", login, log_in("alice@example.org"), 403, "M_FORBIDDEN");
    let by_phone = |phone: &str| {
        let identifier = json!({"type": "m.id.phone", "country": "GB", "phone": phone});
        json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD})
    };
    assert_eq!(admin.ok("POST", login, by_phone("+44 (113) 496-0000"))["user_id"], alice.user_id);
    admin.refused("POST", login, by_phone("+44 113 496 0001"), 403, "M_FORBIDDEN");
    admin.ok("PUT", &target("alice"), json!({"threepids": []}));
    admin.refused("POST", login, by_phone("+441134960000"), 403, "M_FORBIDDEN");
}
