#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use ruma::{
    OwnedEventId, RoomVersionId,
    api::client::filter::{EventFormat, LazyLoadOptions, RoomEventFilter},
};
use serde_json::Value;

use crate::{
    room::{
        commit::NewEvent,
        tests::fixture::{Fixture, txn, user},
    },
    rpc::room::{LogPosition, Reader, RoomSection, SyncRoom, SyncedRoom},
};

fn ask(name: &str, from: Option<LogPosition>) -> SyncRoom {
    SyncRoom {
        reader: Reader { user_id: user(name), device_id: "DEVICE".into(), ignored_users: Vec::new() },
        client: 1,
        from,
        before: None,
        saw_typing: false,
        is_first: from.is_none(),
        has_left: false,
        full_state: false,
        use_state_after: false,
        timeline: RoomEventFilter::default(),
        state: RoomEventFilter::default(),
        ephemeral: RoomEventFilter::default(),
        event_fields: None,
        event_format: EventFormat::Client,
        push_rules: None,
    }
}

fn lazily(mut asked: SyncRoom) -> SyncRoom {
    asked.state.lazy_load_options = LazyLoadOptions::Enabled { include_redundant_members: false };
    asked
}

fn limited_to(limit: u32, mut asked: SyncRoom) -> SyncRoom {
    asked.timeline.limit = Some(limit.into());
    asked
}

fn pull(fixture: &Fixture, asked: SyncRoom) -> (SyncedRoom, Value) {
    let synced = fixture.room.sync_room(asked).unwrap();
    let json = serde_json::from_str(synced.json.get()).unwrap();
    (synced, json)
}

/// What tells events apart at a glance: the body, or the type and state key.
fn names(events: &Value) -> Vec<String> {
    let name = |event: &Value| match event["content"]["body"].as_str() {
        Some(body) => body.to_owned(),
        None => [&event["type"], &event["state_key"]].map(|text| text.as_str().unwrap_or_default()).join("|"),
    };
    events["events"].as_array().map(|events| events.iter().map(name).collect()).unwrap_or_default()
}

fn member(name: &str) -> String {
    format!("m.room.member|{}", user(name))
}

fn topic(fixture: &Fixture, text: &str) -> OwnedEventId {
    fixture.send(NewEvent::state(user("creator"), "m.room.topic", "", format!("{{\"topic\":\"{text}\"}}")))
}

fn room() -> Fixture {
    Fixture::new(RoomVersionId::V11)
}

#[test]
fn a_first_sync_has_the_last_events_and_the_state_before_them() {
    let fixture = room();
    fixture.join("alice");
    topic(&fixture, "old");
    for number in 0..3 {
        fixture.message("alice", &number.to_string());
    }
    topic(&fixture, "new");
    let (synced, json) = pull(&fixture, limited_to(2, ask("alice", None)));
    assert_eq!(synced.section, Some(RoomSection::Join));
    assert_eq!(synced.position, fixture.room.store.meta().unwrap().last_position);
    assert_eq!(names(&json["timeline"]), ["2", "m.room.topic|"]);
    assert_eq!(json["timeline"]["limited"], true);
    let state = names(&json["state"]);
    assert!(state.contains(&member("creator")) && state.contains(&"m.room.create|".to_owned()));
    let topics = json["state"]["events"].as_array().unwrap().iter();
    let topics: Vec<_> = topics.filter(|event| event["type"] == "m.room.topic").collect();
    assert_eq!(topics.len(), 1);
    assert_eq!(topics[0]["content"]["topic"], "old", "as it was before the timeline");
}

#[test]
fn later_syncs_have_what_came_since() {
    let fixture = room();
    fixture.join("alice");
    let (first, _) = pull(&fixture, ask("alice", None));
    let (again, _) = pull(&fixture, ask("alice", Some(first.position)));
    assert_eq!(again.section, None, "nothing is new");
    fixture.message("creator", "hello");
    let (_, json) = pull(&fixture, ask("alice", Some(first.position)));
    assert_eq!(names(&json["timeline"]), ["hello"]);
    assert_eq!(json["timeline"]["limited"], false);
    assert!(json.get("state").is_none() && json.get("summary").is_none());
}

#[test]
fn a_gap_is_told_of_with_the_state_that_changed_in_it() {
    let fixture = room();
    fixture.join("alice");
    let (first, _) = pull(&fixture, ask("alice", None));
    topic(&fixture, "in the gap");
    fixture.join("bob");
    for number in 0..5 {
        fixture.message("creator", &number.to_string());
    }
    let (_, json) = pull(&fixture, limited_to(2, ask("alice", Some(first.position))));
    assert_eq!(names(&json["timeline"]), ["3", "4"]);
    assert_eq!(json["timeline"]["limited"], true);
    let mut state = names(&json["state"]);
    state.sort();
    assert_eq!(state, [member("bob"), "m.room.topic|".to_owned()]);
    assert_eq!(json["summary"]["m.joined_member_count"], 3);
    let start = LogPosition::from_token(json["timeline"]["prev_batch"].as_str().unwrap()).unwrap();
    let before = fixture.room.store.log_backward(LogPosition(0), start, 1).unwrap();
    let event = fixture.room.store.event_of(&before[0]).unwrap().unwrap();
    assert_eq!(event.pdu.content_str("body").unwrap(), "2", "paging back goes on before the first event");
}

#[test]
fn state_after_has_what_the_timeline_sets_too() {
    let fixture = room();
    fixture.join("alice");
    let (first, _) = pull(&fixture, ask("alice", None));
    topic(&fixture, "new");
    let asked = SyncRoom { use_state_after: true, ..ask("alice", Some(first.position)) };
    let (synced, json) = pull(&fixture, asked);
    assert_eq!(names(&json["timeline"]), ["m.room.topic|"]);
    assert_eq!(names(&json["state_after"]), ["m.room.topic|"]);
    assert!(json.get("state").is_none());
    let asked = SyncRoom { use_state_after: true, full_state: true, ..ask("alice", Some(synced.position)) };
    let (_, json) = pull(&fixture, asked);
    assert!(names(&json["state_after"]).contains(&"m.room.create|".to_owned()));
    fixture.message("alice", "no state");
    let asked = SyncRoom { use_state_after: true, ..ask("alice", Some(synced.position)) };
    assert_eq!(pull(&fixture, asked).1["state_after"]["events"], serde_json::json!([]));
}

#[test]
fn members_are_loaded_lazily_and_once() {
    let fixture = room();
    for name in ["alice", "bob", "carol"] {
        fixture.join(name);
    }
    fixture.message("bob", "one");
    let (first, json) = pull(&fixture, limited_to(1, lazily(ask("alice", None))));
    let members: Vec<_> =
        names(&json["state"]).into_iter().filter(|name| name.starts_with("m.room.member")).collect();
    assert_eq!(members, [member("alice"), member("bob")], "the sender, and the user");
    fixture.message("bob", "two");
    let (second, json) = pull(&fixture, lazily(ask("alice", Some(first.position))));
    assert!(json.get("state").is_none(), "bob is known");
    fixture.message("carol", "three");
    let (_lost, json) = pull(&fixture, lazily(ask("alice", Some(second.position))));
    assert_eq!(names(&json["state"]), [member("carol")]);
    fixture.message("carol", "four");
    let (third, json) = pull(&fixture, lazily(ask("alice", Some(second.position))));
    assert_eq!(names(&json["state"]), [member("carol")], "the answer was lost");
    fixture.message("carol", "five");
    let mut asked = lazily(ask("alice", Some(third.position)));
    assert!(pull(&fixture, asked).1.get("state").is_none());
    asked = ask("alice", Some(third.position));
    asked.state.lazy_load_options = LazyLoadOptions::Enabled { include_redundant_members: true };
    assert_eq!(names(&pull(&fixture, asked).1["state"]), [member("carol")]);
}

#[test]
fn a_lazy_client_gets_the_member_that_a_sender_was_before_the_timeline_changes_it() {
    let fixture = room();
    fixture.join("alice");
    fixture.join("bob");
    fixture.message("creator", "last");
    let (first, _) = pull(&fixture, limited_to(1, lazily(ask("alice", None))));
    let rename = |name: &str| {
        let content = format!("{{\"membership\":\"join\",\"displayname\":\"{name}\"}}");
        fixture.send(NewEvent::state(user(name), "m.room.member", user(name).as_str(), content));
    };
    rename("alice");
    fixture.message("bob", "as bob");
    rename("bob");
    let (second, json) = pull(&fixture, lazily(ask("alice", Some(first.position))));
    assert_eq!(names(&json["timeline"]), [member("alice"), "as bob".to_owned(), member("bob")]);
    assert_eq!(names(&json["state"]), [member("bob")]);
    assert_eq!(json["state"]["events"][0]["content"].get("displayname"), None);
    fixture.message("bob", "under a new name");
    fixture.member("creator", "bob", "leave").unwrap();
    let (_, json) = pull(&fixture, lazily(ask("alice", Some(second.position))));
    assert!(json.get("state").is_none(), "the client has got this one");
}

#[test]
fn a_lazy_client_that_was_out_unknowingly_hears_of_the_members_that_changed() {
    let fixture = room();
    for name in ["alice", "bob", "carol"] {
        fixture.join(name);
    }
    let (first, _) = pull(&fixture, lazily(ask("alice", None)));
    fixture.member("alice", "alice", "leave").unwrap();
    let (left, _) = pull(&fixture, SyncRoom { has_left: true, ..ask("alice", Some(first.position)) });
    fixture.member("creator", "bob", "ban").unwrap();
    fixture.join("alice");
    fixture.message("creator", "last");
    let back =
        |from| SyncRoom { is_first: false, before: Some(from), ..limited_to(1, lazily(ask("alice", None))) };
    let (_, json) = pull(&fixture, back(first.position));
    let state = names(&json["state"]);
    assert!(state.contains(&member("bob")) && !state.contains(&member("carol")), "{state:?}");
    let (_, json) = pull(&fixture, back(left.position));
    assert!(!names(&json["state"]).contains(&member("bob")), "who knows that they left begins anew");
}

#[test]
fn a_lazy_first_sync_reads_no_members_but_those_shown() {
    let fixture = room();
    for number in 0..200 {
        fixture.join(&format!("user{number}"));
    }
    fixture.message("creator", "hello");
    // Who joined last has nothing unread to weigh.
    let asked = || limited_to(1, lazily(ask("user199", None)));
    let cost = fixture.cost(|| drop(pull(&fixture, asked())));
    assert!(cost.rows_read < 80, "{cost:?}");
    assert_eq!(cost.rows_written, 0);
}

#[test]
fn a_nameless_room_has_heroes_whose_members_are_sent() {
    let fixture = room();
    for name in ["b", "c", "d", "e", "f", "a"] {
        fixture.join(name);
    }
    let (named, json) = pull(&fixture, limited_to(1, lazily(ask("a", None))));
    assert!(json["summary"].get("m.heroes").is_none());
    fixture.send(NewEvent::state(user("creator"), "m.room.name", "", "{}"));
    let heroes = ["creator", "b", "c", "d", "e"].map(|name| user(name).to_string());
    for from in [None, Some(named.position)] {
        let (_, json) = pull(&fixture, limited_to(1, lazily(ask("a", from))));
        assert_eq!(json["summary"]["m.heroes"], serde_json::json!(heroes));
        assert!(names(&json["state"]).contains(&member("c")));
    }
}

#[test]
fn who_left_sees_what_was_before_that() {
    let fixture = room();
    fixture.join("alice");
    let (first, _) = pull(&fixture, ask("alice", None));
    fixture.message("creator", "before");
    fixture.member("alice", "alice", "leave").unwrap();
    fixture.message("creator", "after");
    topic(&fixture, "after");
    let (synced, json) = pull(&fixture, SyncRoom { has_left: true, ..ask("alice", Some(first.position)) });
    assert_eq!(synced.section, Some(RoomSection::Leave));
    assert_eq!(names(&json["timeline"]), ["before".to_owned(), member("alice")]);
    assert!(json.get("state").is_none() && json.get("summary").is_none());
}

#[test]
fn who_never_joined_sees_only_that_they_are_out() {
    let fixture = room();
    fixture.member("creator", "alice", "invite").unwrap();
    fixture.message("creator", "secret");
    fixture.member("alice", "alice", "leave").unwrap();
    let (synced, json) = pull(&fixture, SyncRoom { has_left: true, ..ask("alice", None) });
    assert_eq!(synced.section, Some(RoomSection::Leave));
    assert_eq!(names(&json["timeline"]), [member("alice")]);
    assert!(json.get("state").is_none());
}

#[test]
fn who_is_out_learns_by_the_state_how_they_stand() {
    let fixture = room();
    let own = |json: &Value, of: &str| {
        let events = json[of]["events"].as_array().cloned().unwrap_or_default();
        let memberships = events.iter().map(|event| event["content"]["membership"].to_string());
        memberships.collect::<Vec<_>>().join(" ")
    };
    let after = |from| SyncRoom { has_left: true, use_state_after: true, ..ask("alice", from) };
    fixture.member("creator", "alice", "invite").unwrap();
    fixture.member("alice", "alice", "leave").unwrap();
    let (declined, json) = pull(&fixture, SyncRoom { is_first: false, ..after(None) });
    assert_eq!(own(&json, "state_after"), "\"leave\"");
    fixture.member("creator", "alice", "ban").unwrap();
    assert_eq!(own(&pull(&fixture, after(Some(declined.position))).1, "state_after"), "\"ban\"");
    fixture.member("creator", "alice", "leave").unwrap();
    fixture.join("alice");
    let (joined, _) = pull(&fixture, ask("alice", Some(declined.position)));
    fixture.member("creator", "alice", "leave").unwrap();
    let (kicked, json) = pull(&fixture, after(Some(joined.position)));
    assert_eq!(own(&json, "state_after"), "\"leave\"");
    topic(&fixture, "secret");
    fixture.member("creator", "alice", "ban").unwrap();
    for lazy in [false, true] {
        let asked = |from| if lazy { lazily(after(from)) } else { after(from) };
        let (_, json) = pull(&fixture, asked(Some(kicked.position)));
        assert!(own(&json, "state_after").contains("\"ban\""));
        let (_, json) = pull(&fixture, asked(None));
        assert!(own(&json, "state_after").contains("\"ban\""));
        assert!(!json.to_string().contains("secret"));
    }
    fixture.member("creator", "alice", "leave").unwrap();
    let (unbanned, _) = pull(&fixture, after(Some(kicked.position)));
    fixture.member("creator", "alice", "ban").unwrap();
    let before = SyncRoom { has_left: true, ..limited_to(0, ask("alice", Some(unbanned.position))) };
    assert_eq!(own(&pull(&fixture, before).1, "state"), "\"ban\"", "nothing else is new");
}

#[test]
fn history_that_the_user_may_not_see_is_left_out() {
    let fixture = room();
    let visibility = "{\"history_visibility\":\"joined\"}";
    fixture.send(NewEvent::state(user("creator"), "m.room.history_visibility", "", visibility));
    fixture.message("creator", "hidden");
    fixture.join("alice");
    fixture.message("creator", "shown");
    let (_, json) = pull(&fixture, ask("alice", None));
    let shown = names(&json["timeline"]);
    assert!(!shown.contains(&"hidden".to_owned()), "{shown:?}");
    assert_eq!(shown[shown.len() - 2..], [member("alice"), "shown".to_owned()]);
}

#[test]
fn events_of_ignored_users_are_left_out() {
    let fixture = room();
    fixture.join("alice");
    fixture.join("bob");
    let (first, _) = pull(&fixture, ask("alice", None));
    fixture.message("bob", "ignored");
    let mut asked = ask("alice", Some(first.position));
    asked.reader.ignored_users = vec![user("bob")];
    assert_eq!(pull(&fixture, asked).0.section, None);
}

#[test]
fn a_filter_chooses_events_and_fields() {
    let fixture = room();
    fixture.join("alice");
    let (first, _) = pull(&fixture, ask("alice", None));
    topic(&fixture, "new");
    fixture.message("creator", "hello");
    let mut asked = ask("alice", Some(first.position));
    asked.timeline.types = Some(vec!["m.room.mess*".to_owned()]);
    asked.event_fields = Some(vec!["content.body".to_owned()]);
    let (_, json) = pull(&fixture, asked);
    assert_eq!(names(&json["timeline"]), ["hello"]);
    assert!(json["timeline"]["events"][0].get("unsigned").is_none());
    assert_eq!(names(&json["state"]), ["m.room.topic|"], "state that the timeline leaves out");
}

#[test]
fn events_carry_what_the_server_adds() {
    let fixture = room();
    fixture.join("alice");
    let (first, _) = pull(&fixture, ask("alice", None));
    let message = NewEvent::message(user("alice"), "m.room.message", "{\"body\":\"x\"}", Some(txn("one")));
    let target = fixture.send(message);
    let replaced = topic(&fixture, "first");
    topic(&fixture, "second");
    let (_, json) = pull(&fixture, ask("alice", Some(first.position)));
    let events = &json["timeline"]["events"];
    assert!(events[1]["unsigned"].get("replaces_state").is_none());
    assert_eq!(events[2]["unsigned"]["replaces_state"], replaced.as_str());
    assert_eq!(events[0]["unsigned"]["transaction_id"], "one");
    assert_eq!(events[0]["unsigned"]["membership"], "join");
    assert!(events[0].get("room_id").is_none());
    assert_eq!(events[2]["unsigned"]["prev_content"]["topic"], "first");
    let mut asked = ask("alice", Some(first.position));
    asked.reader.device_id = "OTHER".into();
    assert!(pull(&fixture, asked).1["timeline"]["events"][0]["unsigned"].get("transaction_id").is_none());
    fixture.redact("creator", &target).unwrap();
    let (_, json) = pull(&fixture, ask("alice", Some(first.position)));
    let events = &json["timeline"]["events"];
    assert_eq!(events[0]["content"], serde_json::json!({}));
    assert_eq!(events[0]["unsigned"]["redacted_because"]["type"], "m.room.redaction");
    assert_eq!(events[3]["redacts"], target.as_str());
    assert_eq!(events[3]["content"]["redacts"], target.as_str());
}

#[test]
fn a_pull_reads_in_proportion_to_what_it_returns() {
    let fixture = room();
    fixture.join("alice");
    for number in 0..300 {
        fixture.message("creator", &number.to_string());
    }
    let (first, _) = pull(&fixture, limited_to(1, ask("alice", None)));
    fixture.message("creator", "new");
    let cost = fixture.cost(|| drop(pull(&fixture, ask("alice", Some(first.position)))));
    assert!(cost.rows_read <= 15, "{cost:?}");
}
