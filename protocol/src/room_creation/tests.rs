#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use ruma::{
    RoomVersionId, owned_room_alias_id, owned_user_id, room_version_rules::AuthorizationRules, server_name,
};
use serde_json::{Map, Value, json};

use super::{
    Preset, RoomCreation, StateDraft, divided_aliases, retired_power_levels, upgraded_create,
    upgraded_power_levels,
};

fn room(version: RoomVersionId, preset: Preset) -> (RoomCreation, AuthorizationRules) {
    let rules = version.rules().unwrap().authorization;
    let creation = RoomCreation {
        version,
        creator: owned_user_id!("@alice:example.org"),
        preset,
        creation_content: Map::new(),
        power_level_content_override: Map::new(),
        canonical_alias: None,
        initial_state: Vec::new(),
        name: None,
        topic: None,
        invite: Vec::new(),
    };
    (creation, rules)
}

fn content(state: &[StateDraft], event_type: &str) -> Value {
    let draft = state.iter().rev().find(|draft| draft.is(event_type)).unwrap();
    serde_json::from_str(&draft.content).unwrap()
}

fn types(state: &[StateDraft]) -> Vec<&str> {
    state.iter().map(|draft| draft.event_type.as_str()).collect()
}

#[test]
fn state_comes_in_the_specified_order() {
    let (mut creation, rules) = room(RoomVersionId::V11, Preset::Private);
    creation.canonical_alias = Some(owned_room_alias_id!("#a:example.org"));
    creation.initial_state = vec![StateDraft::new("org.example.x", &json!({}))];
    creation.name = Some("Name".to_owned());
    creation.topic = Some("Topic".to_owned());
    let expected = [
        "m.room.power_levels",
        "m.room.canonical_alias",
        "m.room.join_rules",
        "m.room.history_visibility",
        "m.room.guest_access",
        "org.example.x",
        "m.room.name",
        "m.room.topic",
    ];
    assert_eq!(types(&creation.state(&rules)), expected);
}

#[test]
fn initial_state_takes_the_place_of_the_presets_state() {
    let (mut creation, rules) = room(RoomVersionId::V11, Preset::Private);
    creation.initial_state = vec![StateDraft::new("m.room.join_rules", &json!({ "join_rule": "knock" }))];
    let state = creation.state(&rules);
    assert_eq!(types(&state).iter().filter(|of| **of == "m.room.join_rules").count(), 1);
    assert_eq!(content(&state, "m.room.join_rules")["join_rule"], "knock");
}

#[test]
fn the_creator_and_the_version_cannot_be_chosen_by_creation_content() {
    let (mut creation, rules) = room(RoomVersionId::V10, Preset::Private);
    creation.creation_content.insert("creator".to_owned(), json!("@eve:example.org"));
    creation.creation_content.insert("room_version".to_owned(), json!("1"));
    creation.creation_content.insert("extra".to_owned(), json!(true));
    let create = Value::Object(creation.create_content(&rules));
    assert_eq!(create, json!({ "creator": "@alice:example.org", "room_version": "10", "extra": true }));
}

#[test]
fn since_version_11_the_creator_is_not_in_the_content() {
    let (mut creation, rules) = room(RoomVersionId::V11, Preset::Private);
    creation.creation_content.insert("creator".to_owned(), json!("@eve:example.org"));
    assert_eq!(Value::Object(creation.create_content(&rules)), json!({ "room_version": "11" }));
}

#[test]
fn trusted_invitees_have_the_creators_power() {
    let (mut creation, rules) = room(RoomVersionId::V11, Preset::TrustedPrivate);
    creation.invite = vec![owned_user_id!("@bob:example.org")];
    let users = &content(&creation.state(&rules), "m.room.power_levels")["users"];
    assert_eq!(*users, json!({ "@alice:example.org": 100, "@bob:example.org": 100 }));
    assert!(!creation.create_content(&rules).contains_key("additional_creators"));
}

#[test]
fn since_version_12_trusted_invitees_are_creators_and_no_creator_has_a_number() {
    let (mut creation, rules) = room(RoomVersionId::V12, Preset::TrustedPrivate);
    creation.creation_content.insert("additional_creators".to_owned(), json!(["@bob:example.org"]));
    creation.invite = vec![owned_user_id!("@bob:example.org"), owned_user_id!("@carol:example.org")];
    let create = creation.create_content(&rules);
    assert_eq!(create["additional_creators"], json!(["@bob:example.org", "@carol:example.org"]));
    let levels = content(&creation.state(&rules), "m.room.power_levels");
    assert_eq!(levels["users"], json!({}));
    assert_eq!(levels["events"]["m.room.tombstone"], 150);
}

#[test]
fn the_override_replaces_members_of_the_power_levels() {
    let (mut creation, rules) = room(RoomVersionId::V11, Preset::Private);
    creation.power_level_content_override.insert("events".to_owned(), json!({ "m.room.name": 7 }));
    let levels = content(&creation.state(&rules), "m.room.power_levels");
    assert_eq!(levels["events"], json!({ "m.room.name": 7 }));
    assert_eq!(levels["ban"], 50);
}

#[test]
fn an_entry_of_initial_state_needs_type_and_content() {
    let draft = StateDraft::from_json(r#"{"type":"a","content":{"n":1.0}}"#).unwrap();
    assert_eq!((draft.state_key.as_str(), draft.content.as_str()), ("", r#"{"n":1.0}"#));
    assert!(StateDraft::from_json(r#"{"type":"a"}"#).is_err());
    assert!(StateDraft::from_json(r#"{"type":"a","content":[]}"#).is_err());
    assert!(StateDraft::from_json(r#"{"content":{}}"#).is_err());
}

#[test]
fn an_upgrade_copies_power_levels_without_the_creators() {
    let rules = RoomVersionId::V12.rules().unwrap().authorization;
    let old =
        json!({"users": {"@alice:example.org": 100, "@bob:example.org": 50, "@carol:example.org": 100}});
    let (alice, carol) = (owned_user_id!("@alice:example.org"), owned_user_id!("@carol:example.org"));
    let new = upgraded_power_levels(old.as_object().unwrap(), &rules, &alice, &[carol]);
    assert_eq!(new["users"], json!({"@bob:example.org": 50}));
    assert_eq!(new["events"]["m.room.tombstone"], 150);
}

#[test]
fn below_version_12_who_upgrades_has_power_by_number() {
    let rules = RoomVersionId::V11.rules().unwrap().authorization;
    let alice = owned_user_id!("@alice:example.org");
    let new = upgraded_power_levels(&Map::new(), &rules, &alice, &[]);
    assert_eq!(new, json!({"users": {"@alice:example.org": 100}}));
}

#[test]
fn the_new_room_names_its_predecessor_and_keeps_its_type() {
    let old = json!({"type": "m.space", "creator": "@x:y", "room_version": "1", "predecessor": {}});
    let old = old.as_object().unwrap();
    let rules = RoomVersionId::V11.rules().unwrap().authorization;
    let new = upgraded_create(old, ("!old:y", "$last"), &rules, &[]);
    let expected = json!({"type": "m.space", "predecessor": {"room_id": "!old:y", "event_id": "$last"}});
    assert_eq!(Value::Object(new), expected);
}

#[test]
fn in_a_replaced_room_only_moderators_speak() {
    let retired = retired_power_levels(json!({"users_default": 60}).as_object().unwrap()).unwrap();
    assert_eq!((&retired["events_default"], &retired["invite"]), (&json!(61), &json!(61)));
    assert!(retired_power_levels(retired.as_object().unwrap()).is_none());
}

#[test]
fn levels_that_are_strings_become_numbers() {
    let rules = RoomVersionId::V12.rules().unwrap().authorization;
    let alice = owned_user_id!("@alice:example.org");
    let old = json!({"ban": "60", "users": {"@alice:example.org": "100", "@bob:example.org": " 7 "}});
    let new = upgraded_power_levels(old.as_object().unwrap(), &rules, &alice, &[]);
    assert_eq!((&new["ban"], &new["users"]), (&json!(60), &json!({"@bob:example.org": 7})));
}

#[test]
fn only_aliases_of_this_server_go_to_the_new_room() {
    let server = server_name!("here.test");
    let old = json!({"alias": "#a:there.test", "alt_aliases": ["#b:here.test", "#c:there.test"]});
    let (new, rest) = divided_aliases(old.as_object().unwrap(), server).unwrap();
    assert_eq!(Value::Object(new), json!({"alt_aliases": ["#b:here.test"]}));
    assert_eq!(Value::Object(rest), json!({"alias": "#a:there.test", "alt_aliases": ["#c:there.test"]}));
    let own = json!({"alias": "#a:here.test"});
    let (new, rest) = divided_aliases(own.as_object().unwrap(), server).unwrap();
    assert_eq!((Value::Object(new), Value::Object(rest)), (own, json!({})));
    assert!(divided_aliases(json!({"alias": "#a:there.test"}).as_object().unwrap(), server).is_none());
}
