//! Finding users, and the rooms that are shared with them.

use selvedge_durable_objects::{
    database::DatabaseExt,
    params,
    platform::{ActorKind, ActorName},
};
use serde_json::{Value, json};

use super::rooms::{create, path, segment};
use crate::testing::{Client, PASSWORD};

fn set_name(client: &Client, name: &str) {
    let target = format!("/_matrix/client/v3/profile/{}/displayname", client.user_id);
    client.ok("PUT", &target, json!({"displayname": name}));
}

fn find_some(client: &Client, term: &str, limit: u32) -> Value {
    let target = "/_matrix/client/v3/user_directory/search";
    client.ok("POST", target, json!({"search_term": term, "limit": limit}))
}

fn find(client: &Client, term: &str) -> Vec<String> {
    let answer = find_some(client, term, 10);
    let results = answer["results"].as_array().unwrap();
    let mut found: Vec<_> = results.iter().map(|of| of["user_id"].as_str().unwrap().to_owned()).collect();
    found.sort();
    found
}

fn named(client: &Client, localpart: &str, name: &str) -> Client {
    let user = client.register(localpart);
    set_name(&user, name);
    user
}

fn share(owner: &Client, other: &Client) -> String {
    owner.world.advance(1);
    let room_id = create(owner, json!({"preset": "private_chat", "invite": [other.user_id]}));
    other.ok("POST", &path(&room_id, "join"), json!({}));
    room_id
}

#[test]
fn who_shares_a_room_is_found_by_id_and_name() {
    let alice = Client::registered("alice");
    let bob = named(&alice, "bob-1", "Bóbby Tables");
    let carol = named(&alice, "carol", "Bobbin");
    share(&alice, &bob);
    for term in
        ["bob", "BOBBY", "tab", "bobby tables", "tables bobby", "@bob-1", "@bob-1:selvedge.test", "bob-"]
    {
        assert_eq!(find(&alice, term), [bob.user_id.as_str()], "{term}");
    }
    for term in ["carol", "obby", "alice", "", "@", "nobody"] {
        assert_eq!(find(&alice, term), [""; 0], "{term}");
    }
    let answer = find_some(&alice, "bob", 10);
    let expected = json!([{"user_id": bob.user_id, "display_name": "Bóbby Tables"}]);
    assert_eq!((&answer["results"], &answer["limited"]), (&expected, &json!(false)));
    share(&carol, &alice);
    assert_eq!(find(&alice, "bob").len(), 2);
    let limited = find_some(&alice, "bob", 1);
    assert_eq!((limited["results"].as_array().unwrap().len(), &limited["limited"]), (1, &json!(true)));
    alice.refused(
        "POST",
        "/_matrix/client/v3/user_directory/search",
        json!({"search_term": "x".repeat(300)}),
        400,
        "M_INVALID_PARAM",
    );
}

#[test]
fn who_is_in_a_room_open_to_everyone_is_found_by_everyone_while_it_is() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    assert_eq!(find(&bob, "alice"), [alice.user_id.as_str()]);
    let rules = path(&room_id, "state/m.room.join_rules/");
    alice.ok("PUT", &rules, json!({"join_rule": "invite"}));
    assert_eq!(find(&bob, "alice"), [""; 0]);
    let target = path(&room_id, "state/m.room.history_visibility/");
    alice.ok("PUT", &target, json!({"history_visibility": "world_readable"}));
    assert_eq!(find(&bob, "alice"), [alice.user_id.as_str()]);
    alice.ok("POST", &path(&room_id, "leave"), json!({}));
    assert_eq!(find(&bob, "alice"), [""; 0]);
}

#[test]
fn the_directory_follows_profiles_and_forgets_who_is_gone() {
    let alice = Client::registered("alice");
    let bob = named(&alice, "bob", "Robert");
    let room_id = share(&alice, &bob);
    assert_eq!(find(&alice, "robert").len(), 1);
    set_name(&bob, "Other");
    assert_eq!(find(&alice, "robert").len(), 0);
    assert_eq!(find(&alice, "other").len(), 1);
    // The name that is for one room only is not in the directory.
    let target = path(&room_id, &format!("state/m.room.member/{}", bob.user_id));
    bob.ok("PUT", &target, json!({"membership": "join", "displayname": "Private"}));
    assert_eq!(find(&alice, "private").len(), 0);
    assert_eq!(find_some(&alice, "bob", 10)["results"][0]["display_name"], "Other");
    let body = json!({"auth": bob.password_stage(PASSWORD)});
    bob.ok("POST", "/_matrix/client/v3/account/deactivate", body);
    assert_eq!(find(&alice, "bob").len(), 0);
}

#[test]
fn mutual_rooms_are_those_in_which_both_are_joined() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let mut rooms: Vec<String> = (0..103).map(|_| share(&alice, &bob)).collect();
    rooms.sort();
    bob.ok("POST", &path(&rooms.pop().unwrap(), "leave"), json!({}));
    create(&alice, json!({}));
    let get = |client: &Client, user: &str, rest: &str| {
        client.request(
            "GET",
            &format!("/_matrix/client/v1/mutual_rooms?user_id={}{rest}", segment(user)),
            Value::Null,
        )
    };
    let (_, first) = get(&alice, &bob.user_id, "");
    assert_eq!((&first["joined"], &first["count"]), (&json!(rooms[..100]), &json!(102)));
    let (_, rest) = get(&bob, &alice.user_id, &format!("&from={}", first["next_batch"].as_str().unwrap()));
    assert_eq!(rest, json!({"joined": rooms[100..], "count": 102}));
    let nothing = json!({"joined": [], "count": 0});
    assert_eq!(get(&alice, "@nobody:selvedge.test", "").1, nothing);
    assert_eq!(get(&alice, "@nobody:elsewhere.test", "").1, nothing);
    for (user, rest) in
        [(alice.user_id.as_str(), ""), ("@UPPER:selvedge.test", ""), ("x", ""), (&bob.user_id, "&from=x")]
    {
        assert_eq!(get(&alice, user, rest).1["errcode"], "M_INVALID_PARAM", "{user}");
    }
    let missing = alice.request("GET", "/_matrix/client/v1/mutual_rooms", Value::Null);
    assert_eq!((missing.0, &missing.1["errcode"]), (400, &json!("M_MISSING_PARAM")));
}

#[test]
fn users_of_before_there_was_a_directory_enter_it_when_they_come() {
    let alice = Client::registered("alice");
    let bob = named(&alice, "bob", "山田太郎");
    share(&alice, &bob);
    assert_eq!(find(&alice, "太郎"), [bob.user_id.as_str()]);
    let database = |kind, name: &str| alice.world.database(&ActorName { kind, name: name.to_owned() });
    let directory = database(ActorKind::Directory, "directory");
    for table in ["user_entry", "user_words"] {
        directory.execute(&format!("DELETE FROM {table}"), params![]).unwrap();
    }
    assert_eq!(find(&alice, "太郎"), [""; 0]);
    let forget = "UPDATE migration SET numbers = (SELECT json_group_array(value) FROM json_each(numbers) WHERE value <> 50)";
    database(ActorKind::User, "bob").execute(forget, params![]).unwrap();
    alice.world.restart();
    bob.ok("GET", "/_matrix/client/v3/account/whoami", Value::Null);
    assert_eq!(find(&alice, "太郎"), [bob.user_id.as_str()]);
}
