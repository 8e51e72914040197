//! Events that this server makes.

use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject,
    serde::Base64,
    signatures::{self, PublicKeyMap, Verified},
};

use super::*;

fn public_keys() -> PublicKeyMap {
    let keys = BTreeMap::from([("ed25519:1".to_owned(), Base64::new(key().public_key().to_vec()))]);
    BTreeMap::from([("domain".to_owned(), keys)])
}

/// A state event with everything that an event can have.
fn topic(rules: &RoomVersionRules) -> EventBuilder {
    let parent = message().build(server(), &key(), rules).unwrap();
    EventBuilder {
        prev_events: vec![EventReference::to(&parent, rules)],
        auth_events: vec![EventReference::to(&parent, rules)],
        depth: 4,
        opaque_id: Some("topic".to_owned()),
        ..state("m.room.topic", "", &json!({ "topic": "Tea & \"cake\"\n", "z": [1, { "b": 1, "a": null }] }))
    }
}

#[test]
fn events_have_the_hashes_and_signatures_that_ruma_computes() {
    for (version, rules) in all_rules() {
        let event = topic(&rules).build(server(), &key(), &rules).unwrap();
        let object: CanonicalJsonObject = serde_json::from_str(event.json()).unwrap();
        assert_eq!(
            signatures::verify_event(&public_keys(), &object, &rules).unwrap(),
            Verified::All,
            "{version}"
        );
        if !rules.event_format.require_event_id {
            let id = format!("${}", signatures::reference_hash(&object, &rules).unwrap());
            assert_eq!(event.event_id(), &*id, "{version}");
        }
        assert_eq!(ruma::CanonicalJsonValue::Object(object).to_string(), event.json());
    }
}

#[test]
fn event_ids_and_references_are_those_of_the_room_version() {
    let ids: Vec<_> = all_rules()
        .map(|(version, rules)| {
            let event = topic(&rules).build(server(), &key(), &rules).unwrap();
            let json: JsonValue = serde_json::from_str(event.json()).unwrap();
            format!("{version} {} {}", event.event_id(), json["prev_events"])
        })
        .collect();
    insta::assert_snapshot!(ids.join("\n"));
}

#[test]
fn fields_are_read_back() {
    for (version, rules) in all_rules() {
        let builder = EventBuilder { state_key: Some("k\"\u{e9}\\".to_owned()), ..topic(&rules) };
        let event = builder.build(server(), &key(), &rules).unwrap();
        for event in [event.clone(), Pdu::from_stored(event.event_id().to_owned(), event.json()).unwrap()] {
            assert_eq!(event.room_id(), "!room:domain", "{version}");
            assert_eq!(event.sender(), "@alice:domain");
            assert_eq!(event.event_type(), "m.room.topic");
            assert_eq!(event.state_key(), Some("k\"\u{e9}\\"));
            assert_eq!(event.content_str("topic").unwrap(), "Tea & \"cake\"\n");
            assert_eq!(event.content().get(), event.content_json());
            assert_eq!(event.content_as::<JsonValue>().unwrap()["z"][1]["b"], 1);
            assert_eq!(event.origin_server_ts(), ts(1_000_000));
            assert_eq!(event.depth(), 4);
            assert_eq!(event.prev_events(), event.auth_events());
            assert_eq!(event.prev_events().len(), 1);
        }
    }
}

#[test]
fn a_redaction_names_its_target_where_the_room_version_wants_it() {
    for (version, rules) in all_rules() {
        let builder = EventBuilder {
            event_type: "m.room.redaction".to_owned(),
            content: r#"{"reason":"spam"}"#.to_owned(),
            redacts: Some("$target:domain".try_into().unwrap()),
            ..message()
        };
        let event = builder.build(server(), &key(), &rules).unwrap();
        let json: JsonValue = serde_json::from_str(event.json()).unwrap();
        let in_content = rules.redaction.content_field_redacts;
        assert_eq!(json["content"]["redacts"].is_string(), in_content, "{version}");
        assert_eq!(json["redacts"].is_string(), !in_content, "{version}");
        assert_eq!(json["content"]["reason"], "spam");
        assert_eq!(event.redacts(&rules.redaction).unwrap(), "$target:domain");
    }
}

#[test]
fn since_version_12_the_create_event_names_its_room() {
    let rules = rules(&RoomVersionId::V12);
    let create =
        EventBuilder { room_id: None, ..state("m.room.create", "", &json!({ "room_version": "12" })) };
    let create = create.build(server(), &key(), &rules).unwrap();
    assert_eq!(create.room_id().as_str().strip_prefix('!'), create.event_id().as_str().strip_prefix('$'));
    assert!(!create.json().contains("room_id"));
    let stored = Pdu::from_stored(create.event_id().to_owned(), create.json()).unwrap();
    assert_eq!(stored, create);
}

#[test]
fn a_template_of_another_server_keeps_its_references() {
    for (version, rules) in all_rules() {
        let proposed = topic(&rules);
        let template = proposed.template(&rules).unwrap();
        assert!(!template.contains("hashes") && !template.contains("signatures"));
        let taken = EventBuilder::from_template(
            &template,
            &rules,
            proposed.sender.clone(),
            proposed.origin_server_ts,
        );
        let taken = EventBuilder { opaque_id: proposed.opaque_id.clone(), ..taken.unwrap() };
        assert_eq!(
            taken.build(server(), &key(), &rules).unwrap(),
            proposed.build(server(), &key(), &rules).unwrap(),
            "{version}"
        );
    }
}

#[test]
fn malformed_templates_are_refused() {
    let rules = rules(&RoomVersionId::V11);
    let template: JsonValue = serde_json::from_str(&topic(&rules).template(&rules).unwrap()).unwrap();
    for field in ["type", "content", "depth", "prev_events", "auth_events"] {
        for broken in [JsonValue::Null, json!([[]]), json!(-1)] {
            let mut template = template.clone();
            template[field] = broken.clone();
            let taken = EventBuilder::from_template(
                &template.to_string(),
                &rules,
                "@alice:domain".try_into().unwrap(),
                ts(1),
            );
            let built = taken.and_then(|taken| taken.build(server(), &key(), &rules));
            assert!(built.is_err(), "{field} {broken}");
        }
    }
}

#[test]
fn what_other_servers_would_refuse_is_not_made() {
    let rules = rules(&RoomVersionId::V11);
    let build = |builder: EventBuilder| builder.build(server(), &key(), &rules).unwrap_err();
    let large = json!({ "body": "x".repeat(MAX_PDU_BYTES) }).to_string();
    assert_eq!(build(EventBuilder { content: large, ..message() }), BuildError::Event(ParseError::TooLarge));
    let long = "x".repeat(256);
    let with_type = EventBuilder { event_type: long.clone(), ..message() };
    assert_eq!(build(with_type), BuildError::Event(ParseError::TooLong("type")));
    let with_key = EventBuilder { state_key: Some(long), ..message() };
    assert_eq!(build(with_key), BuildError::Event(ParseError::TooLong("state_key")));
    assert_eq!(build(EventBuilder { content: "[]".to_owned(), ..message() }), BuildError::ContentNotObject);
    let float = EventBuilder { content: r#"{"a":1.5}"#.to_owned(), ..message() };
    assert!(matches!(build(float), BuildError::Content(_)));
}

#[test]
fn signatures_of_other_servers_are_added_without_changing_the_event() {
    for (_, rules) in all_rules() {
        let event = topic(&rules).build(server(), &key(), &rules).unwrap();
        let signed = event.co_sign(ruma::server_name!("another"), &key(), &rules).unwrap();
        assert_eq!(signed.event_id(), event.event_id());
        assert_eq!(signatures_of(&signed, server()), signatures_of(&event, server()));
        let ours = signatures_of(&signed, ruma::server_name!("another"));
        assert_eq!(ours[0].signature, signatures_of(&event, server())[0].signature);
        assert_eq!(Pdu::parse(signed.json(), &rules).unwrap(), signed);
    }
}
