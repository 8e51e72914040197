//! Spaces and summaries of rooms, here and elsewhere.

use std::{cell::RefCell, rc::Rc};

use ruma::{OwnedRoomId, OwnedServerName};
use selvedge_durable_objects::{
    platform::{ActorKind, OutboundResponse},
    rpc::room::{GetSpaceEntry, SpaceAsker, SpaceEntry},
};
use serde_json::{Value, json};

use super::rooms::{create, path, segment};
use crate::testing::Client;

const REMOTE: &str = "remote.test:8448";

fn room(client: &Client, name: &str, preset: &str) -> String {
    client.world.advance(1);
    create(client, json!({"preset": preset, "name": name}))
}

fn space(client: &Client, name: &str) -> String {
    client.world.advance(1);
    create(client, json!({"preset": "public_chat", "name": name, "creation_content": {"type": "m.space"}}))
}

fn link(client: &Client, parent: &str, child: &str, content: Value) {
    let target = path(parent, &format!("state/m.space.child/{}", segment(child)));
    client.world.advance(1);
    client.ok("PUT", &target, content);
}

fn contain(client: &Client, parent: &str, children: &[&str]) {
    for child in children {
        link(client, parent, child, json!({"via": ["selvedge.test"]}));
    }
}

fn hierarchy(client: &Client, space: &str, query: &str) -> Value {
    let target = path(space, &format!("hierarchy{query}")).replacen("v3", "v1", 1);
    client.ok("GET", &target, Value::Null)
}

fn names(answer: &Value) -> Vec<&str> {
    answer["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect()
}

fn summary(client: &Client, named: &str, query: &str) -> (u16, Value) {
    let target = format!("/_matrix/client/v1/room_summary/{}{query}", segment(named));
    client.request("GET", &target, Value::Null)
}

/// Without its token.
fn anyone(client: &Client) -> Client {
    Client { token: None, ..client.clone() }
}

/// A space "top" with the spaces "a" and "b", and rooms in them.
fn tree(client: &Client) -> String {
    let top = space(client, "top");
    let (a, b) = (space(client, "a"), space(client, "b"));
    let leaves = ["a1", "a2", "b1"].map(|name| room(client, name, "public_chat"));
    contain(client, &top, &[&a, &b]);
    contain(client, &a, &[&leaves[0], &leaves[1], &top]);
    contain(client, &b, &[&leaves[2], &leaves[0]]);
    top
}

#[test]
fn a_space_is_walked_depth_first_and_each_room_comes_once() {
    let alice = Client::registered("alice");
    let top = tree(&alice);
    let answer = hierarchy(&alice, &top, "");
    assert_eq!(names(&answer), ["top", "a", "a1", "a2", "b", "b1"]);
    assert_eq!(answer["next_batch"], Value::Null);
    let first = &answer["rooms"][0];
    assert_eq!((&first["room_type"], &first["num_joined_members"]), (&json!("m.space"), &json!(1)));
    let child = &first["children_state"][0];
    assert_eq!(child["content"]["via"], json!(["selvedge.test"]));
    assert!(child["origin_server_ts"].is_u64() && child["event_id"].is_null());
    assert_eq!(answer["rooms"][2]["children_state"], json!([]));
    assert_eq!(names(&hierarchy(&alice, &top, "?max_depth=0")), ["top"]);
    assert_eq!(names(&hierarchy(&alice, &top, "?max_depth=1")), ["top", "a", "b"]);
}

#[test]
fn a_walk_goes_on_where_its_page_ended() {
    let alice = Client::registered("alice");
    let top = tree(&alice);
    for limit in 1..=6 {
        let mut all = Vec::new();
        let mut from = String::new();
        loop {
            let answer = hierarchy(&alice, &top, &format!("?limit={limit}{from}"));
            all.extend(names(&answer).into_iter().map(str::to_owned));
            let Some(next) = answer["next_batch"].as_str() else { break };
            from = format!("&from={next}");
        }
        assert_eq!(all, ["top", "a", "a1", "a2", "b", "b1"], "{limit}");
    }
    let token = hierarchy(&alice, &top, "?limit=2")["next_batch"].as_str().unwrap().to_owned();
    let target = |query: String| path(&top, &format!("hierarchy?{query}")).replacen("v3", "v1", 1);
    for query in [
        format!("from={token}&max_depth=1"),
        format!("from={token}&suggested_only=true"),
        "from=x".to_owned(),
    ] {
        alice.refused("GET", &target(query), Value::Null, 400, "M_INVALID_PARAM");
    }
    alice.refused("GET", &target("limit=0".to_owned()), Value::Null, 400, "M_INVALID_PARAM");
}

#[test]
fn a_page_of_a_large_space_asks_few_rooms() {
    let alice = Client::registered("alice");
    let top = space(&alice, "top");
    let rooms: Vec<_> = (0..120).map(|index| room(&alice, &format!("room {index}"), "public_chat")).collect();
    for child in &rooms {
        link(&alice, &top, child, json!({"via": ["selvedge.test"]}));
    }
    let mut count = 0;
    let mut from = String::new();
    loop {
        alice.world.take_calls();
        let answer = hierarchy(&alice, &top, &format!("?limit=20{from}"));
        let calls = alice.world.take_calls();
        let asked = calls.iter().filter(|(actor, _)| actor.kind == ActorKind::Room).count();
        assert!(asked <= 32, "{asked}");
        count += names(&answer).len();
        let Some(next) = answer["next_batch"].as_str() else { break };
        from = format!("&from={next}");
    }
    assert_eq!(count, 121);
}

#[test]
fn children_come_in_their_order_and_only_with_servers_to_reach_them_by() {
    let alice = Client::registered("alice");
    let top = space(&alice, "top");
    let rooms = ["late", "z", "early", "gone", "odd"].map(|name| room(&alice, name, "public_chat"));
    let via = json!(["selvedge.test"]);
    link(&alice, &top, &rooms[0], json!({"via": via, "suggested": true}));
    link(&alice, &top, &rooms[1], json!({"via": via, "order": "z"}));
    link(&alice, &top, &rooms[2], json!({"via": via, "order": "a"}));
    link(&alice, &top, &rooms[3], json!({"via": via}));
    link(&alice, &top, &rooms[3], json!({}));
    link(&alice, &top, &rooms[4], json!({"via": "selvedge.test"}));
    assert_eq!(names(&hierarchy(&alice, &top, "")), ["top", "early", "z", "late"]);
    assert_eq!(names(&hierarchy(&alice, &top, "?suggested_only=true")), ["top", "late"]);
}

#[test]
fn a_room_is_shown_to_those_who_may_know_of_it() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let top = space(&alice, "top");
    let secret = room(&alice, "secret", "private_chat");
    let inner = create(
        &alice,
        json!({"preset": "private_chat", "name": "inner",
        "creation_content": {"type": "m.space"}}),
    );
    let open = room(&alice, "open", "public_chat");
    let restricted = create(
        &alice,
        json!({"name": "restricted", "initial_state": [{
        "type": "m.room.join_rules",
        "content": {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": top}]}}]}),
    );
    contain(&alice, &top, &[&secret, &inner, &restricted]);
    contain(&alice, &inner, &[&open]);
    assert_eq!(names(&hierarchy(&bob, &top, "")), ["top"]);
    bob.ok("POST", &path(&top, "join"), json!({}));
    assert_eq!(names(&hierarchy(&bob, &top, "")), ["top", "restricted"]);
    let (_, told) = summary(&bob, &restricted, "");
    assert_eq!(told["allowed_room_ids"], json!([top]));
    for room_id in [&secret, &inner] {
        alice.ok("POST", &path(room_id, "invite"), json!({"user_id": bob.user_id}));
    }
    assert_eq!(names(&hierarchy(&bob, &top, "")), ["top", "secret", "inner", "open", "restricted"]);
    let target = path(&secret, "hierarchy").replacen("v3", "v1", 1);
    alice.register("carol").refused("GET", &target, Value::Null, 403, "M_FORBIDDEN");
    let target = path("!none:selvedge.test", "hierarchy").replacen("v3", "v1", 1);
    bob.refused("GET", &target, Value::Null, 403, "M_FORBIDDEN");
}

#[test]
fn another_server_is_told_what_its_users_may_know() {
    let alice = Client::registered("alice");
    let top = space(&alice, "top");
    let secret = room(&alice, "secret", "private_chat");
    contain(&alice, &top, &[&secret]);
    let ask = |room_id: &str| {
        let asker = SpaceAsker::Server(OwnedServerName::try_from(REMOTE).unwrap());
        let room_id = OwnedRoomId::try_from(room_id).unwrap();
        alice.world.call(&room_id, &GetSpaceEntry { asker, suggested_only: false }).unwrap()
    };
    assert!(matches!(ask(&top), SpaceEntry::Accessible { children, .. } if children.len() == 1));
    assert!(matches!(ask(&secret), SpaceEntry::Inaccessible));
    assert!(matches!(ask("!none:selvedge.test"), SpaceEntry::Unknown));
}

#[test]
fn a_summary_tells_what_outsiders_may_know() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(
        &alice,
        json!({"preset": "public_chat", "name": "Open", "topic": "For all",
        "room_alias_name": "open", "room_version": "11"}),
    );
    let expected = json!({"room_id": room_id, "name": "Open", "topic": "For all",
        "canonical_alias": "#open:selvedge.test", "num_joined_members": 1, "guest_can_join": false,
        "world_readable": false, "room_version": "11"});
    assert_eq!(summary(&anyone(&alice), &room_id, ""), (200, expected.clone()));
    let mut known = expected;
    known["membership"] = json!("join");
    assert_eq!(summary(&alice, "#open:selvedge.test", ""), (200, known.clone()));
    known["membership"] = json!("leave");
    assert_eq!(summary(&bob, &room_id, ""), (200, known.clone()));
    alice.ok("POST", &path(&room_id, "ban"), json!({"user_id": bob.user_id}));
    known["membership"] = json!("ban");
    assert_eq!(summary(&bob, &room_id, ""), (200, known));

    let secret = room(&alice, "secret", "private_chat");
    alice.ok("PUT", &path(&secret, "state/m.room.encryption/"), json!({"algorithm": "m.megolm.v1.aes-sha2"}));
    for (client, status) in [(&anyone(&bob), 404), (&bob, 404), (&alice, 200)] {
        assert_eq!(summary(client, &secret, "").0, status);
    }
    alice.ok("POST", &path(&secret, "invite"), json!({"user_id": bob.user_id}));
    let (_, told) = summary(&bob, &secret, "");
    assert_eq!(
        (&told["membership"], &told["encryption"]),
        (&json!("invite"), &json!("m.megolm.v1.aes-sha2"))
    );
    for named in ["!none:selvedge.test", "#none:selvedge.test"] {
        assert_eq!(summary(&bob, named, "").1["errcode"], "M_NOT_FOUND");
    }
    let forged = Client { token: Some("no".to_owned()), ..bob };
    assert_eq!(summary(&forged, &room_id, "").0, 401);
}

/// Lets the other server answer by path; what it is asked is written down.
fn connect(client: &Client, answer: impl Fn(&str) -> Option<Value> + 'static) -> Rc<RefCell<Vec<String>>> {
    let asked: Rc<RefCell<Vec<String>>> = Rc::default();
    let log = Rc::clone(&asked);
    client.world.connect(move |request| {
        let path = request.url.strip_prefix("https://remote.test:8448").unwrap_or(&request.url);
        log.borrow_mut().push(path.to_owned());
        let (status, body) = match answer(path) {
            Some(body) => (200, body),
            None => (404, json!({"errcode": "M_NOT_FOUND", "error": "no"})),
        };
        Ok(OutboundResponse { status, headers: Vec::new(), body: body.to_string().into_bytes() })
    });
    asked
}

fn remote_room(id: &str, join_rule: &str, room_type: Option<&str>) -> Value {
    let mut room = json!({"room_id": id, "name": id, "num_joined_members": 1, "guest_can_join": false,
        "world_readable": false, "join_rule": join_rule});
    if let Some(room_type) = room_type {
        room["room_type"] = json!(room_type);
    }
    room
}

fn remote_space(id: &str, children: &[&str]) -> Value {
    let mut room = remote_room(id, "public", Some("m.space"));
    let children = children.iter().map(|child| {
        json!({"type": "m.space.child", "state_key": child, "content": {"via": [REMOTE]},
            "sender": "@r:remote.test", "origin_server_ts": 1})
    });
    room["children_state"] = children.collect();
    room
}

#[test]
fn rooms_of_other_servers_are_asked_for_and_judged_here() {
    let alice = Client::registered("alice");
    let top = space(&alice, "top");
    let own = room(&alice, "own", "public_chat");
    link(&alice, &top, "!s:remote.test", json!({"via": ["selvedge.test", REMOTE]}));
    link(&alice, &top, "!gone:remote.test", json!({"via": [REMOTE]}));
    contain(&alice, &top, &[&own]);
    let asked = connect(&alice, |path| {
        let children =
            ["!open:remote.test", "!invite:remote.test", "!inner:remote.test", "!hidden:remote.test"];
        if path.contains("hierarchy/!s:") {
            let told = [
                remote_room(children[0], "public", None),
                remote_room(children[1], "invite", None),
                remote_room(children[2], "public", Some("m.space")),
            ];
            return Some(json!({"room": remote_space("!s:remote.test", &children), "children": told,
                "inaccessible_children": [children[3]]}));
        }
        path.contains("hierarchy/!inner:").then(|| {
            json!({"room": remote_space("!inner:remote.test", &[]), "children": [],
                "inaccessible_children": []})
        })
    });
    let expected = ["top", "!s:remote.test", "!open:remote.test", "!inner:remote.test", "own"];
    assert_eq!(names(&hierarchy(&alice, &top, "")), expected);
    // What was told once is not asked for again.
    let hierarchies = |rooms: &[&str]| {
        asked.borrow().iter().filter(|path| rooms.iter().any(|room| path.contains(room))).count()
    };
    assert_eq!(hierarchies(&["!open", "!hidden"]), 0);
    assert_eq!(hierarchies(&["!inner"]), 1);
}

#[test]
fn a_room_of_another_server_is_summed_up() {
    let alice = Client::registered("alice");
    connect(&alice, |path| {
        let entry = |room: Value| {
            let mut room = room;
            room["children_state"] = json!([]);
            Some(json!({"room": room, "children": [], "inaccessible_children": []}))
        };
        match path {
            _ if path.contains("hierarchy/!open:") => entry(remote_room("!open:x.test", "public", None)),
            _ if path.contains("hierarchy/!closed:") => entry(remote_room("!closed:x.test", "invite", None)),
            _ => None,
        }
    });
    let via = format!("?via={REMOTE}");
    let (status, told) = summary(&alice, "!open:x.test", &via);
    assert_eq!((status, &told["name"], &told["membership"]), (200, &json!("!open:x.test"), &json!("leave")));
    let (status, told) = summary(&anyone(&alice), "!open:x.test", &via);
    assert_eq!((status, &told["membership"]), (200, &Value::Null));
    assert_eq!(summary(&alice, "!closed:x.test", &via).0, 404);
    assert_eq!(summary(&alice, "!other:x.test", &via).0, 404);
}
