//! Rooms: creation, membership, state, timeline.

use serde_json::{Value, json};

use crate::testing::Client;

/// A room id or alias as a segment of a path.
pub fn segment(text: &str) -> String {
    text.replace('%', "%25").replace('#', "%23").replace('$', "%24").replace('/', "%2F").replace('?', "%3F")
}

pub fn create(client: &Client, body: Value) -> String {
    client.ok("POST", "/_matrix/client/v3/createRoom", body)["room_id"].as_str().unwrap().to_owned()
}

pub fn path(room_id: &str, rest: &str) -> String {
    format!("/_matrix/client/v3/rooms/{}/{rest}", segment(room_id))
}

pub fn say(client: &Client, room_id: &str, txn: &str, body: &str) -> String {
    let target = path(room_id, &format!("send/m.room.message/{txn}"));
    let content = json!({"msgtype": "m.text", "body": body});
    client.ok("PUT", &target, content)["event_id"].as_str().unwrap().to_owned()
}

pub fn state(client: &Client, room_id: &str, event_type: &str, key: &str) -> Value {
    client.ok("GET", &path(room_id, &format!("state/{event_type}/{key}")), Value::Null)
}

fn join(client: &Client, room_id: &str) {
    client.ok("POST", &path(room_id, "join"), Value::Null);
}

fn bodies(answer: &Value) -> Vec<&str> {
    let chunk = answer["chunk"].as_array().unwrap();
    chunk.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[test]
fn a_created_room_has_the_state_that_was_asked_for() {
    let alice = Client::registered("alice");
    let room_id = create(
        &alice,
        json!({
            "room_version": "11", "preset": "public_chat", "visibility": "public", "room_alias_name": "pub",
            "name": "The Pub", "topic": "Happy hour", "creation_content": {"m.federate": false, "creator": "x"},
            "initial_state": [{"type": "org.example.x", "content": {"a": 1}}],
        }),
    );
    let create = state(&alice, &room_id, "m.room.create", "");
    assert_eq!(create, json!({"m.federate": false, "room_version": "11"}));
    assert_eq!(state(&alice, &room_id, "m.room.name", "")["name"], "The Pub");
    assert_eq!(state(&alice, &room_id, "m.room.topic", "")["m.topic"]["m.text"][0]["body"], "Happy hour");
    assert_eq!(state(&alice, &room_id, "m.room.join_rules", "")["join_rule"], "public");
    assert_eq!(state(&alice, &room_id, "org.example.x", "")["a"], 1);
    assert_eq!(state(&alice, &room_id, "m.room.canonical_alias", "")["alias"], "#pub:selvedge.test");
    let alias = alice.ok("GET", "/_matrix/client/v3/directory/room/%23pub:selvedge.test", Value::Null);
    assert_eq!(alias, json!({"room_id": room_id, "servers": ["selvedge.test"]}));
    let rooms = alice.ok("GET", "/_matrix/client/v3/publicRooms", Value::Null);
    let entry = &rooms["chunk"][0];
    assert_eq!((&entry["room_id"], &entry["num_joined_members"]), (&json!(room_id), &json!(1)));
    assert_eq!(alice.ok("GET", "/_matrix/client/v3/joined_rooms", Value::Null)["joined_rooms"][0], *room_id);
}

#[test]
fn every_room_version_can_be_created() {
    let alice = Client::registered("alice");
    for version in 1..=12 {
        let room_id = create(&alice, json!({"room_version": version.to_string(), "preset": "public_chat"}));
        let event_id = say(&alice, &room_id, "t", "hello");
        let event = alice.ok("GET", &path(&room_id, &format!("event/{}", segment(&event_id))), Value::Null);
        assert_eq!(event["content"]["body"], "hello");
        assert_eq!(room_id.contains(':'), version < 12);
    }
}

#[test]
fn creation_is_refused_for_the_reason_that_the_specification_names() {
    let alice = Client::registered("alice");
    let target = "/_matrix/client/v3/createRoom";
    alice.refused("POST", target, json!({"room_version": "99"}), 400, "M_UNSUPPORTED_ROOM_VERSION");
    alice.refused("POST", target, json!({"room_version": 1}), 400, "M_BAD_JSON");
    alice.refused("POST", target, json!({"preset": "other"}), 400, "M_BAD_JSON");
    alice.refused("POST", target, json!({"initial_state": [{"type": "x"}]}), 400, "M_BAD_JSON");
    alice.refused("POST", target, json!({"room_alias_name": "a:b"}), 400, "M_INVALID_PARAM");
    let second_create = json!({"initial_state": [{"type": "m.room.create", "content": {}}]});
    alice.refused("POST", target, second_create, 400, "M_INVALID_ROOM_STATE");
    create(&alice, json!({"room_alias_name": "taken"}));
    let alias = json!({"type": "m.room.canonical_alias", "content": {"alias": "#taken:selvedge.test"}});
    alice.refused("POST", target, json!({"initial_state": [alias]}), 400, "M_BAD_ALIAS");
    let powerless = json!({"room_version": "11", "name": "x", "power_level_content_override": {"users": {}}});
    alice.refused("POST", target, powerless, 400, "M_INVALID_ROOM_STATE");
    let names_creator = json!({"room_version": "12",
        "power_level_content_override": {"users": {"@alice:selvedge.test": 100}}});
    alice.refused("POST", target, names_creator, 400, "M_INVALID_ROOM_STATE");
    let bad_creators = json!({"room_version": "12", "creation_content": {"additional_creators": ["x"]}});
    alice.refused("POST", target, bad_creators, 400, "M_BAD_JSON");
    alice.refused("POST", target, json!({"room_alias_name": "taken"}), 400, "M_ROOM_IN_USE");
}

#[test]
fn a_refused_creation_gives_its_alias_back() {
    let alice = Client::registered("alice");
    let body =
        json!({"room_version": "11", "room_alias_name": "a", "power_level_content_override": {"users": {}}});
    alice.refused("POST", "/_matrix/client/v3/createRoom", body, 400, "M_INVALID_ROOM_STATE");
    create(&alice, json!({"room_alias_name": "a"}));
}

#[test]
fn an_invited_user_joins_and_both_talk() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"invite": [bob.user_id], "is_direct": true}));
    let invitation = state(&alice, &room_id, "m.room.member", &bob.user_id);
    assert_eq!((&invitation["membership"], &invitation["is_direct"]), (&json!("invite"), &json!(true)));
    join(&bob, &room_id);
    say(&alice, &room_id, "1", "one");
    say(&bob, &room_id, "1", "two");
    let back = alice.ok("GET", &path(&room_id, "messages?dir=b&limit=2"), Value::Null);
    assert_eq!(bodies(&back), ["two", "one"]);
    let on = path(&room_id, &format!("messages?dir=f&from={}", back["end"].as_str().unwrap()));
    assert_eq!(bodies(&alice.ok("GET", &on, Value::Null)), ["one", "two"]);
}

#[test]
fn a_room_that_one_is_not_in_answers_like_one_that_does_not_exist() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let secret = create(&alice, json!({}));
    for rest in ["state", "state/m.room.name", "messages?dir=b", "members", "joined_members", "aliases"] {
        let there = bob.request("GET", &path(&secret, rest), Value::Null);
        let nowhere = bob.request("GET", &path("!nothing:selvedge.test", rest), Value::Null);
        assert_eq!(there, nowhere, "{rest}");
        assert_eq!((there.0, there.1["errcode"].as_str()), (403, Some("M_FORBIDDEN")), "{rest}");
    }
    let message = json!({"body": "x"});
    for (rest, body) in [("send/m.room.message/1", &message), ("state/m.room.name", &message)] {
        let there = bob.request("PUT", &path(&secret, rest), body.clone());
        assert_eq!(there, bob.request("PUT", &path("!nothing:selvedge.test", rest), body.clone()));
        assert_eq!(there.0, 403);
    }
}

#[test]
fn a_transaction_is_carried_out_once_for_each_device() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    let first = say(&alice, &room_id, "same", "one");
    assert_eq!(say(&alice, &room_id, "same", "other"), first);
    assert_ne!(say(&alice.log_in_again(), &room_id, "same", "one"), first);
    let event = alice.ok("GET", &path(&room_id, &format!("event/{}", segment(&first))), Value::Null);
    assert_eq!(event["unsigned"]["transaction_id"], "same");
}

#[test]
fn memberships_change_by_the_rules() {
    let alice = Client::registered("alice");
    let (bob, carol) = (alice.register("bob"), alice.register("carol"));
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    let on = |name: &str| path(&room_id, name);
    let of = |client: &Client| json!({"user_id": client.user_id, "reason": "because"});
    bob.refused("POST", &on("kick"), of(&alice), 403, "M_FORBIDDEN");
    join(&bob, &room_id);
    bob.refused("POST", &on("kick"), of(&alice), 403, "M_FORBIDDEN");
    alice.refused("POST", &on("kick"), of(&carol), 403, "M_FORBIDDEN");
    alice.refused("POST", &on("unban"), of(&bob), 403, "M_BAD_STATE");
    alice.refused("POST", &on("invite"), of(&bob), 403, "M_FORBIDDEN");
    alice.ok("POST", &on("kick"), of(&bob));
    assert_eq!(state(&alice, &room_id, "m.room.member", &bob.user_id)["reason"], "because");
    alice.refused("POST", &on("kick"), of(&bob), 403, "M_FORBIDDEN");
    alice.ok("POST", &on("ban"), of(&bob));
    bob.refused("POST", &on("join"), json!({}), 403, "M_FORBIDDEN");
    alice.refused("POST", &on("invite"), of(&bob), 403, "M_BAD_STATE");
    alice.ok("POST", &on("unban"), of(&bob));
    join(&bob, &room_id);
    bob.ok("POST", &on("leave"), json!({}));
    bob.ok("POST", &on("forget"), json!({}));
    alice.refused("POST", &on("forget"), json!({}), 400, "M_UNKNOWN");
}

#[test]
fn joining_twice_changes_nothing() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    bob.ok("POST", &path(&room_id, "join"), json!({"foo": "bar"}));
    let whole = format!("state/m.room.member/{}?format=event", bob.user_id);
    let before = bob.ok("GET", &path(&room_id, &whole), Value::Null)["event_id"].clone();
    join(&bob, &room_id);
    let after = bob.ok("GET", &path(&room_id, &whole), Value::Null);
    assert_eq!(after["event_id"], before);
    assert_eq!(after["content"]["foo"], "bar");
}

#[test]
fn members_of_an_allowed_room_join_a_restricted_one() {
    let alice = Client::registered("alice");
    let (bob, carol) = (alice.register("bob"), alice.register("carol"));
    let space = create(&alice, json!({"preset": "public_chat"}));
    join(&bob, &space);
    let rule = json!({"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": space}]});
    let room_id = create(&alice, json!({"initial_state": [{"type": "m.room.join_rules", "content": rule}]}));
    join(&bob, &room_id);
    let content = state(&bob, &room_id, "m.room.member", &bob.user_id);
    assert_eq!(content["join_authorised_via_users_server"], *alice.user_id);
    carol.refused("POST", &path(&room_id, "join"), json!({}), 403, "M_FORBIDDEN");
}

#[test]
fn who_knocks_may_be_let_in() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let rule = json!({"join_rule": "knock"});
    let room_id = create(&alice, json!({"initial_state": [{"type": "m.room.join_rules", "content": rule}]}));
    let knock = format!("/_matrix/client/v3/knock/{room_id}");
    assert_eq!(bob.ok("POST", &knock, json!({"reason": "please"}))["room_id"], *room_id);
    assert_eq!(state(&alice, &room_id, "m.room.member", &bob.user_id)["membership"], "knock");
    bob.refused("POST", &path(&room_id, "join"), json!({}), 403, "M_FORBIDDEN");
    alice.ok("POST", &path(&room_id, "invite"), json!({"user_id": bob.user_id}));
    join(&bob, &room_id);
}

#[test]
fn one_redacts_what_one_sent_and_moderators_what_others_did() {
    let alice = Client::registered("alice");
    let (bob, carol) = (alice.register("bob"), alice.register("carol"));
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    join(&bob, &room_id);
    join(&carol, &room_id);
    let event_id = say(&bob, &room_id, "1", "oops");
    let redact = |txn: &str| path(&room_id, &format!("redact/{}/{txn}", segment(&event_id)));
    carol.refused("PUT", &redact("1"), json!({}), 403, "M_FORBIDDEN");
    let by_send = path(&room_id, "send/m.room.redaction/2");
    carol.refused("PUT", &by_send, json!({"redacts": event_id}), 403, "M_FORBIDDEN");
    let unknown = path(&room_id, "redact/$none/1");
    bob.refused("PUT", &unknown, json!({}), 404, "M_NOT_FOUND");
    let redaction = bob.ok("PUT", &redact("1"), json!({"reason": "typo"}))["event_id"].clone();
    let event = carol.ok("GET", &path(&room_id, &format!("event/{}", segment(&event_id))), Value::Null);
    assert_eq!(event["content"], json!({}));
    assert_eq!(event["unsigned"]["redacted_because"]["event_id"], redaction);
    let other = say(&bob, &room_id, "2", "spam");
    alice.ok("PUT", &path(&room_id, &format!("redact/{}/1", segment(&other))), json!({}));
}

#[test]
fn who_left_sees_the_room_as_it_was_then() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat", "name": "before"}));
    join(&bob, &room_id);
    say(&alice, &room_id, "1", "seen");
    bob.ok("POST", &path(&room_id, "leave"), json!({}));
    say(&alice, &room_id, "2", "not seen");
    alice.ok("PUT", &path(&room_id, "state/m.room.name"), json!({"name": "after"}));
    assert_eq!(state(&bob, &room_id, "m.room.name", "")["name"], "before");
    let messages = bob.ok("GET", &path(&room_id, "messages?dir=b&limit=50"), Value::Null);
    assert_eq!(bodies(&messages), ["seen"]);
    let members = bob.ok("GET", &path(&room_id, "members?membership=leave"), Value::Null);
    assert_eq!(members["chunk"][0]["state_key"], *bob.user_id);
    bob.refused("GET", &path(&room_id, "joined_members"), Value::Null, 403, "M_FORBIDDEN");
    bob.ok("POST", &path(&room_id, "forget"), json!({}));
    bob.refused("GET", &path(&room_id, "messages?dir=b"), Value::Null, 403, "M_FORBIDDEN");
}

#[test]
fn the_canonical_alias_names_the_room() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    let other = create(&alice, json!({"room_alias_name": "other"}));
    let target = path(&room_id, "state/m.room.canonical_alias/");
    let set = |alias: &str| json!({ "alias": alias });
    alice.refused("PUT", &target, set("#none:selvedge.test"), 400, "M_BAD_ALIAS");
    alice.refused("PUT", &target, set("#other:selvedge.test"), 400, "M_BAD_ALIAS");
    alice.refused("PUT", &target, set("%bad"), 400, "M_INVALID_PARAM");
    let alias = "/_matrix/client/v3/directory/room/%23mine:selvedge.test";
    alice.ok("PUT", alias, json!({"room_id": room_id}));
    alice.refused("PUT", alias, json!({"room_id": other}), 409, "M_UNKNOWN");
    alice.ok("PUT", &target, set("#mine:selvedge.test"));
    let bob = alice.register("bob");
    bob.refused("DELETE", alias, Value::Null, 403, "M_FORBIDDEN");
    alice.ok("DELETE", alias, Value::Null);
    assert_eq!(state(&alice, &room_id, "m.room.canonical_alias", ""), json!({}));
    alice.refused("DELETE", alias, Value::Null, 404, "M_NOT_FOUND");
    alice.refused("GET", alias, Value::Null, 404, "M_NOT_FOUND");
}

#[test]
fn the_directory_follows_the_room() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"visibility": "public", "name": "Old"}));
    let list = || alice.ok("GET", "/_matrix/client/v3/publicRooms", Value::Null)["chunk"][0].clone();
    assert_eq!(list()["name"], "Old");
    alice.ok("PUT", &path(&room_id, "state/m.room.name"), json!({"name": "New"}));
    join(&bob, &room_id);
    assert_eq!((&list()["name"], &list()["num_joined_members"]), (&json!("New"), &json!(2)));
    let entry = format!("/_matrix/client/v3/directory/list/room/{room_id}");
    bob.refused("PUT", &entry, json!({"visibility": "private"}), 403, "M_FORBIDDEN");
    assert_eq!(bob.ok("GET", &entry, Value::Null)["visibility"], "public");
    alice.ok("PUT", &entry, json!({"visibility": "private"}));
    assert_eq!(list(), Value::Null);
}

#[test]
fn the_context_of_an_event_is_what_surrounds_it() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    let ids: Vec<_> = (0..5).map(|n| say(&alice, &room_id, &n.to_string(), &n.to_string())).collect();
    let target = path(&room_id, &format!("context/{}?limit=2", segment(&ids[2])));
    let context = alice.ok("GET", &target, Value::Null);
    assert_eq!(context["event"]["event_id"], *ids[2]);
    assert_eq!(context["events_before"][0]["event_id"], *ids[1]);
    assert_eq!(context["events_after"][0]["event_id"], *ids[3]);
    let on = path(&room_id, &format!("messages?dir=f&from={}", context["end"].as_str().unwrap()));
    assert_eq!(bodies(&alice.ok("GET", &on, Value::Null)), ["4"]);
}

#[test]
fn who_may_not_read_a_room_hears_that_before_anything_of_parameters() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room = create(&alice, json!({}));
    bob.refused("GET", &path(&room, "messages"), Value::Null, 403, "M_FORBIDDEN");
    let from_the_start = alice.ok("GET", &path(&room, "messages?limit=1"), Value::Null);
    assert_eq!(from_the_start["chunk"][0]["type"], "m.room.create");
    alice.refused("GET", &path(&room, "messages?dir=x"), Value::Null, 400, "M_INVALID_PARAM");
}

#[test]
fn an_upgraded_room_is_replaced_with_all_that_goes_with_it() {
    let alice = Client::registered("alice");
    let (bob, eve) = (alice.register("bob"), alice.register("eve"));
    let old = create(
        &alice,
        json!({"room_version": "10", "preset": "public_chat", "visibility": "public", "name": "Old",
            "room_alias_name": "here"}),
    );
    join(&bob, &old);
    alice.ok("POST", &path(&old, "ban"), json!({"user_id": eve.user_id, "reason": "spam"}));
    let tag = format!("/_matrix/client/v3/user/{}/rooms/{old}/tags/u.work", bob.user_id);
    bob.ok("PUT", &tag, json!({"order": 0.5}));
    let rule = |room_id: &str| format!("/_matrix/client/v3/pushrules/global/room/{room_id}");
    bob.ok("PUT", &rule(&old), json!({"actions": ["notify"]}));
    bob.refused("POST", &path(&old, "upgrade"), json!({"new_version": "11"}), 403, "M_FORBIDDEN");
    alice.refused(
        "POST",
        &path(&old, "upgrade"),
        json!({"new_version": "x"}),
        400,
        "M_UNSUPPORTED_ROOM_VERSION",
    );
    let answer = alice.ok("POST", &path(&old, "upgrade"), json!({"new_version": "12"}));
    let new = answer["replacement_room"].as_str().unwrap();
    assert_eq!(state(&alice, &old, "m.room.tombstone", "")["replacement_room"], *new);
    assert_eq!(state(&alice, new, "m.room.create", "")["predecessor"], json!({ "room_id": old }));
    assert_eq!(state(&alice, new, "m.room.name", "")["name"], "Old");
    assert_eq!(state(&alice, new, "m.room.member", &eve.user_id)["reason"], "spam");
    assert_eq!(state(&alice, new, "m.room.power_levels", "")["users"], json!({}));
    assert_eq!(state(&alice, &old, "m.room.power_levels", "")["events_default"], 50);
    let alias = alice.ok("GET", "/_matrix/client/v3/directory/room/%23here:selvedge.test", Value::Null);
    assert_eq!(alias["room_id"], *new);
    let rooms = alice.ok("GET", "/_matrix/client/v3/publicRooms", Value::Null);
    assert_eq!((rooms["chunk"].as_array().unwrap().len(), &rooms["chunk"][0]["room_id"]), (1, &json!(new)));
    join(&bob, new);
    let tags =
        bob.ok("GET", &format!("/_matrix/client/v3/user/{}/rooms/{new}/tags", bob.user_id), Value::Null);
    assert_eq!(tags["tags"]["u.work"]["order"], 0.5);
    assert_eq!(bob.ok("GET", &rule(new), Value::Null)["actions"], json!(["notify"]));
    bob.refused("PUT", &path(&old, "send/m.room.message/x"), json!({"body": "x"}), 403, "M_FORBIDDEN");
}

#[test]
fn a_sync_token_reads_on_in_a_room_that_its_answer_did_not_show() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    join(&bob, &room_id);
    say(&alice, &room_id, "1", "one");
    bob.ok("POST", &path(&room_id, "leave"), json!({}));
    let sync = bob.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    assert!(sync["rooms"]["join"][&room_id].is_null());
    say(&alice, &room_id, "2", "two");
    let from = sync["next_batch"].as_str().unwrap();
    let back = bob.ok("GET", &path(&room_id, &format!("messages?dir=b&limit=2&from={from}")), Value::Null);
    assert_eq!(back["chunk"][0]["content"]["membership"], "leave");
    assert_eq!(back["chunk"][1]["content"]["body"], "one");
    let on = bob.ok("GET", &path(&room_id, &format!("messages?dir=f&from={from}")), Value::Null);
    assert_eq!(on["chunk"], json!([]));
}

#[test]
fn the_members_at_the_very_beginning_of_a_room_are_its_first() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    let sync = alice.ok("GET", "/_matrix/client/v3/sync", Value::Null);
    let at = sync["rooms"]["join"][&room_id]["timeline"]["prev_batch"].as_str().unwrap().to_owned();
    join(&bob, &room_id);
    let members = alice.ok("GET", &path(&room_id, &format!("members?at={at}")), Value::Null);
    let members: Vec<_> = members["chunk"].as_array().unwrap().iter().map(|m| &m["state_key"]).collect();
    assert_eq!(members, [&json!(alice.user_id)]);
}
