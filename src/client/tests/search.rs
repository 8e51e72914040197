//! Searching messages.

use selvedge_durable_objects::{
    database::DatabaseExt,
    params,
    platform::{ActorKind, ActorName},
};
use serde_json::{Value, json};

use super::rooms::{create, path, say, segment};
use crate::testing::Client;

const SEARCH: &str = "/_matrix/client/v3/search";

fn criteria(term: &str) -> Value {
    json!({"search_term": term, "order_by": "recent"})
}

fn search_from(client: &Client, criteria: &Value, from: Option<&str>) -> Value {
    let target = from.map_or_else(|| SEARCH.to_owned(), |from| format!("{SEARCH}?next_batch={from}"));
    let answer = client.ok("POST", &target, json!({"search_categories": {"room_events": criteria}}));
    answer["search_categories"]["room_events"].clone()
}

fn search(client: &Client, criteria: &Value) -> Value {
    search_from(client, criteria, None)
}

fn found(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|result| result["result"]["event_id"].as_str().unwrap()).collect()
}

fn set_visibility(client: &Client, room_id: &str, visibility: &str) {
    let target = path(room_id, "state/m.room.history_visibility/");
    client.ok("PUT", &target, json!({"history_visibility": visibility}));
}

#[test]
fn events_are_found_by_the_words_of_bodies_names_and_topics() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({"name": "Martian café", "topic": "On martians"}));
    let event = say(&alice, &room_id, "1", "hello, martians");
    say(&alice, &room_id, "2", "nothing of it");
    let answer = search(&alice, &criteria("martian"));
    assert_eq!((found(&answer).len(), &answer["count"]), (3, &json!(3)));
    assert_eq!(answer["highlights"], json!(["martian", "martians"]));
    let in_bodies = json!({"search_term": "martian", "keys": ["content.body"]});
    assert_eq!(found(&search(&alice, &in_bodies)), [&event]);
    assert_eq!(found(&search(&alice, &criteria("MARTIAN Cafe"))).len(), 1);
    assert_eq!(found(&search(&alice, &criteria("\"hello martians\""))), [&event]);
    assert_eq!(search(&alice, &criteria("absent")), json!({"count": 0, "highlights": [], "results": []}));
    assert_eq!(search(&alice, &criteria("?!"))["results"], json!([]));
}

#[test]
fn a_search_pages_through_several_rooms_in_either_order() {
    let alice = Client::registered("alice");
    let rooms = [create(&alice, json!({})), create(&alice, json!({}))];
    let mut sent = Vec::new();
    for index in 0..13 {
        alice.world.advance(10);
        sent.push(say(&alice, &rooms[index % 2], &format!("t{index}"), &format!("number {index}")));
    }
    sent.reverse();
    for (order, limit) in [("recent", 5), ("recent", 13), ("rank", 4)] {
        let criteria = json!({"search_term": "number", "order_by": order, "filter": {"limit": limit}});
        let (mut all, mut from) = (Vec::new(), None);
        loop {
            let page = search_from(&alice, &criteria, from.as_deref());
            assert_eq!(page["count"], 13);
            all.extend(found(&page).into_iter().map(str::to_owned));
            from = page["next_batch"].as_str().map(str::to_owned);
            if from.is_none() {
                break;
            }
        }
        if order == "recent" {
            assert_eq!(all, sent);
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 13, "{order} {limit}");
    }
    let ranked = json!({"search_term": "number"});
    let token =
        search(&alice, &json!({"search_term": "number", "filter": {"limit": 1}}))["next_batch"].clone();
    let target = format!("{SEARCH}?next_batch={}", token.as_str().unwrap());
    let body = json!({"search_categories": {"room_events": criteria("number")}});
    alice.refused("POST", &target, body, 400, "M_INVALID_PARAM");
    let ranks = search(&alice, &ranked)["results"].as_array().unwrap().clone();
    assert!(ranks.is_sorted_by(|left, right| left["rank"].as_f64() >= right["rank"].as_f64()));
}

#[test]
fn results_are_grouped_and_each_group_goes_on() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let rooms = ["a", "b"].map(|_| create(&alice, json!({"preset": "public_chat"})));
    let mut by_bob = Vec::new();
    for (index, room_id) in rooms.iter().cycle().take(12).enumerate() {
        alice.world.advance(10);
        if index < 2 {
            bob.ok("POST", &path(room_id, "join"), json!({}));
        }
        let (who, txn) = (if index % 3 == 0 { &bob } else { &alice }, format!("t{index}"));
        let event = say(who, room_id, &txn, "word");
        if who.user_id == bob.user_id {
            by_bob.insert(0, event);
        }
    }
    let criteria = json!({"search_term": "word", "order_by": "recent", "filter": {"limit": 4},
        "groupings": {"group_by": [{"key": "room_id"}, {"key": "sender"}]}});
    let first = search(&alice, &criteria);
    let group = &first["groups"]["room_id"][&rooms[0]];
    assert_eq!((group["results"].as_array().unwrap().len(), &group["order"]), (2, &json!(2)));
    let next = search_from(&alice, &criteria, group["next_batch"].as_str());
    assert_eq!(found(&next).len(), 4);
    assert!(next["results"].as_array().unwrap().iter().all(|of| of["result"]["room_id"] == *rooms[0]));
    let group = &next["groups"]["room_id"];
    assert_eq!(group.as_object().unwrap().len(), 1);
    assert_eq!(group[&rooms[0]]["next_batch"], Value::Null);

    let mut seen: Vec<String> =
        serde_json::from_value(first["groups"]["sender"][&bob.user_id]["results"].clone()).unwrap();
    let rest = search_from(&alice, &criteria, first["groups"]["sender"][&bob.user_id]["next_batch"].as_str());
    seen.extend(found(&rest).into_iter().map(str::to_owned));
    assert_eq!(seen, by_bob);
    let other = json!({"search_term": "x", "groupings": {"group_by": [{"key": "type"}]}});
    let body = json!({"search_categories": {"room_events": other}});
    alice.refused("POST", SEARCH, body, 400, "M_INVALID_PARAM");
}

#[test]
fn a_result_comes_with_its_surroundings_and_the_rooms_state() {
    let alice = Client::registered("alice");
    let name = format!("/_matrix/client/v3/profile/{}/displayname", alice.user_id);
    alice.ok("PUT", &name, json!({"displayname": "Alice"}));
    let room_id = create(&alice, json!({}));
    let events: Vec<_> =
        (1..8).map(|i| say(&alice, &room_id, &format!("{i}"), &format!("say {i}"))).collect();
    let wanted = json!({"search_term": "say 4", "include_state": true,
        "event_context": {"before_limit": 2, "after_limit": 1, "include_profile": true}});
    let answer = search(&alice, &wanted);
    let context = &answer["results"][0]["context"];
    let ids = |list: &str| -> Vec<String> {
        let list = context[list].as_array().unwrap();
        list.iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("events_before"), [events[2].clone(), events[1].clone()]);
    assert_eq!(ids("events_after"), [events[4].clone()]);
    assert_eq!(context["profile_info"][&alice.user_id]["displayname"], "Alice");
    let start = context["start"].as_str().unwrap();
    let page = alice.ok("GET", &path(&room_id, &format!("messages?dir=b&limit=1&from={start}")), Value::Null);
    assert_eq!(page["chunk"][0]["event_id"], *events[0]);
    let state = answer["state"][&room_id].as_array().unwrap();
    assert!(state.iter().any(|event| event["type"] == "m.room.create"));
    assert_eq!(search(&alice, &criteria("say 4"))["results"][0]["context"], Value::Null);
}

#[test]
fn only_what_the_user_may_see_and_wants_is_found() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat"}));
    set_visibility(&alice, &room_id, "joined");
    say(&alice, &room_id, "1", "secret word");
    bob.ok("POST", &path(&room_id, "join"), json!({}));
    let seen = say(&alice, &room_id, "2", "open word");
    let own = say(&bob, &room_id, "3", "own word");
    bob.ok("POST", &path(&room_id, "leave"), json!({}));
    say(&alice, &room_id, "4", "later word");
    let answer = search(&bob, &criteria("word"));
    assert_eq!((found(&answer), &answer["count"]), (vec![own.as_str(), seen.as_str()], &json!(2)));
    // Nor does the number tell of the others.
    let first = search(&bob, &json!({"search_term": "word", "filter": {"limit": 1}}));
    assert_eq!(first["count"], 2);
    assert_eq!(search(&bob, &criteria("secret"))["count"], 0);

    let ignored = json!({"ignored_users": {(alice.user_id.clone()): {}}});
    let target = format!("/_matrix/client/v3/user/{}/account_data/m.ignored_user_list", bob.user_id);
    bob.ok("PUT", &target, ignored);
    assert_eq!(found(&search(&bob, &criteria("word"))), [&own]);
    bob.ok("POST", &path(&room_id, "forget"), json!({}));
    assert_eq!(found(&search(&bob, &criteria("word"))), [""; 0]);
    let carol = bob.register("carol");
    assert_eq!(found(&search(&carol, &criteria("word"))), [""; 0]);
}

#[test]
fn a_filter_chooses_rooms_senders_and_types() {
    let alice = Client::registered("alice");
    let bob = alice.register("bob");
    let room_id = create(&alice, json!({"preset": "public_chat", "name": "word"}));
    bob.ok("POST", &path(&room_id, "join"), json!({}));
    let of_alice = say(&alice, &room_id, "1", "word");
    let of_bob = say(&bob, &room_id, "2", "word");
    let elsewhere = create(&alice, json!({}));
    let other = say(&alice, &elsewhere, "3", "word");
    let with = |filter: Value| {
        let mut answer = found(&search(&alice, &json!({"search_term": "word", "filter": filter})))
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        answer.sort();
        answer
    };
    let sorted = |events: &[&String]| {
        let mut events: Vec<String> = events.iter().map(|event| (*event).clone()).collect();
        events.sort();
        events
    };
    let messages = json!(["m.room.message"]);
    assert_eq!(with(json!({"rooms": [elsewhere]})), sorted(&[&other]));
    assert_eq!(with(json!({"not_rooms": [elsewhere], "types": messages})), sorted(&[&of_alice, &of_bob]));
    assert_eq!(with(json!({"senders": [bob.user_id]})), sorted(&[&of_bob]));
    assert_eq!(with(json!({"not_senders": [bob.user_id], "types": messages})), sorted(&[&of_alice, &other]));
    assert_eq!(with(json!({"types": ["m.room.name"]})).len(), 1);
    assert_eq!(with(json!({"contains_url": true})).len(), 0);
    assert_eq!(with(json!({"rooms": []})).len(), 0);
}

#[test]
fn redacted_events_and_encrypted_rooms_are_not_found() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    let event = say(&alice, &room_id, "1", "gone word");
    let kept = say(&alice, &room_id, "2", "kept word");
    assert_eq!(found(&search(&alice, &criteria("word"))).len(), 2);
    alice.ok("PUT", &path(&room_id, &format!("redact/{}/3", segment(&event))), json!({}));
    for order in ["recent", "rank"] {
        let answer = search(&alice, &json!({"search_term": "word", "order_by": order}));
        assert_eq!((found(&answer), &answer["count"]), (vec![kept.as_str()], &json!(1)));
    }
    let target = path(&room_id, "state/m.room.encryption/");
    alice.ok("PUT", &target, json!({"algorithm": "m.megolm.v1.aes-sha2"}));
    assert_eq!(found(&search(&alice, &criteria("word"))), [""; 0]);
}

#[test]
fn what_a_named_room_replaces_is_searched_with_it() {
    let alice = Client::registered("alice");
    let old = create(&alice, json!({"room_version": "10"}));
    let before = say(&alice, &old, "1", "the upgrade comes");
    let answer = alice.ok("POST", &path(&old, "upgrade"), json!({"new_version": "11"}));
    let new = answer["replacement_room"].as_str().unwrap();
    alice.world.advance(10);
    let after = say(&alice, new, "2", "the upgrade came");
    let criteria = json!({"search_term": "upgrade", "order_by": "recent", "keys": ["content.body"],
        "filter": {"rooms": [new], "types": ["m.room.message"]}});
    assert_eq!(found(&search(&alice, &criteria)), [&after, &before]);
}

#[test]
fn a_malformed_search_is_refused() {
    let alice = Client::registered("alice");
    let refused = |criteria: Value, code: &str| {
        let body = json!({"search_categories": {"room_events": criteria}});
        alice.refused("POST", SEARCH, body, 400, code);
    };
    refused(json!({}), "M_BAD_JSON");
    refused(json!({"search_term": "x", "keys": ["content.other"]}), "M_INVALID_PARAM");
    refused(json!({"search_term": "x", "order_by": "age"}), "M_INVALID_PARAM");
    refused(json!({"search_term": "x".repeat(2_000)}), "M_INVALID_PARAM");
    refused(json!({"search_term": "x", "filter": {"rooms": "all"}}), "M_BAD_JSON");
    alice.refused("POST", SEARCH, json!({}), 400, "M_BAD_JSON");
    let answer = alice.ok("POST", SEARCH, json!({"search_categories": {}}));
    assert_eq!(answer, json!({"search_categories": {}}));
}

#[test]
fn a_room_that_fails_does_not_hide_what_others_have() {
    let alice = Client::registered("alice");
    let rooms = [create(&alice, json!({})), create(&alice, json!({}))];
    let events = rooms.each_ref().map(|room| say(&alice, room, "1", "needle"));
    assert_eq!(found(&search(&alice, &criteria("needle"))).len(), 2);
    let spoil = |room: &String| {
        let actor = ActorName { kind: ActorKind::Room, name: room.clone() };
        alice.world.database(&actor).execute("DROP TABLE words", params![]).unwrap();
    };
    spoil(&rooms[0]);
    assert_eq!(found(&search(&alice, &criteria("needle"))), [&events[1]]);
    spoil(&rooms[1]);
    let body = json!({"search_categories": {"room_events": criteria("needle")}});
    assert_eq!(alice.request("POST", SEARCH, body).0, 500);
}

#[test]
fn words_of_scripts_without_spaces_are_found() {
    let alice = Client::registered("alice");
    let room_id = create(&alice, json!({}));
    let chinese = say(&alice, &room_id, "1", "我们明天去北京。");
    let japanese = say(&alice, &room_id, "2", "東京タワーへ行きたいv2");
    let korean = say(&alice, &room_id, "3", "한국어를 배웁니다");
    let find = |term: &str| {
        let answer = search(&alice, &criteria(term));
        let ids: Vec<String> = found(&answer).into_iter().map(str::to_owned).collect();
        (ids, answer["highlights"].clone())
    };
    assert_eq!(find("北京"), (vec![chinese.clone()], json!(["北京"])));
    assert_eq!(find("明天 京"), (vec![chinese], json!(["京", "明天"])));
    assert_eq!(find("タワー"), (vec![japanese.clone()], json!(["タワー"])));
    assert_eq!(find("v2"), (vec![japanese], json!(["v2"])));
    assert_eq!(find("한국").0, vec![korean]);
    assert_eq!(find("京北").0, Vec::<String>::new());
}
