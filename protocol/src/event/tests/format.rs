//! The event format of each room version.

use proptest::prelude::*;

use super::*;

type Break = fn(&mut JsonValue);

fn parse_broken(version: &RoomVersionId, how: Break) -> Result<Pdu, ParseError> {
    let mut parts = parts(version);
    how(&mut parts);
    Pdu::parse(&parts.to_string(), &rules(version))
}

#[test]
fn what_is_no_event_in_any_version_is_refused() {
    let table: [(Break, ParseError); 26] = [
        (|e| *e = json!([]), ParseError::NotAnObject),
        (|e| *e = json!("x"), ParseError::NotAnObject),
        (|e| drop(e.as_object_mut().unwrap().remove("room_id")), ParseError::Missing("room_id")),
        (|e| e["room_id"] = json!(1), ParseError::Type("room_id")),
        (|e| e["room_id"] = json!("room"), ParseError::Identifier("room_id")),
        (|e| e["room_id"] = json!(format!("!{}:domain", "x".repeat(248))), ParseError::TooLong("room_id")),
        (|e| drop(e.as_object_mut().unwrap().remove("sender")), ParseError::Missing("sender")),
        (|e| e["sender"] = json!("alice"), ParseError::Identifier("sender")),
        (|e| e["sender"] = json!("@alice"), ParseError::Identifier("sender")),
        (|e| e["sender"] = json!(format!("@{}:domain", "x".repeat(248))), ParseError::TooLong("sender")),
        (|e| drop(e.as_object_mut().unwrap().remove("type")), ParseError::Missing("type")),
        (|e| e["type"] = json!({}), ParseError::Type("type")),
        (|e| e["type"] = json!("é".repeat(256)), ParseError::TooLong("type")),
        (|e| e["state_key"] = json!(null), ParseError::Type("state_key")),
        (|e| e["state_key"] = json!("é".repeat(256)), ParseError::TooLong("state_key")),
        (|e| e["content"] = json!([]), ParseError::Type("content")),
        (|e| drop(e.as_object_mut().unwrap().remove("content")), ParseError::Missing("content")),
        (|e| e["depth"] = json!("1"), ParseError::Type("depth")),
        (|e| e["depth"] = json!(-1), ParseError::Range("depth")),
        (|e| e["origin_server_ts"] = json!(-1), ParseError::Range("origin_server_ts")),
        (|e| e["origin_server_ts"] = json!(null), ParseError::Type("origin_server_ts")),
        (|e| e["hashes"] = json!({}), ParseError::Missing("hashes.sha256")),
        (|e| drop(e.as_object_mut().unwrap().remove("signatures")), ParseError::Missing("signatures")),
        (|e| e["signatures"] = json!({ "domain": { "ed25519:1": 1 } }), ParseError::Type("signatures")),
        (|e| e["prev_events"] = json!("$a"), ParseError::Type("prev_events")),
        (|e| e["auth_events"] = json!([1]), ParseError::Type("auth_events")),
    ];
    for (version, _) in all_rules() {
        for (index, (how, error)) in table.iter().enumerate() {
            assert_eq!(parse_broken(&version, *how).as_ref(), Err(error), "{version}, row {index}");
        }
    }
}

#[test]
fn strings_of_255_bytes_are_allowed() {
    for (version, _) in all_rules() {
        let event = parse_broken(&version, |e| {
            e["type"] = json!("x".repeat(255));
            e["state_key"] = json!("x".repeat(255));
            e["sender"] = json!(format!("@{}:domain", "x".repeat(247)));
        });
        assert_eq!(event.unwrap().state_key().unwrap().len(), 255, "{version}");
    }
}

#[test]
fn events_of_up_to_65536_bytes_are_allowed_not_counting_unsigned() {
    for (version, rules) in all_rules() {
        let mut parts = parts(&version);
        let rest = parts.to_string().len() - "Hello".len();
        parts["content"]["body"] = json!("x".repeat(MAX_PDU_BYTES - rest));
        parts["unsigned"] = json!({ "age": 1 });
        let event = Pdu::parse(&parts.to_string(), &rules).unwrap();
        assert_eq!(event.json().len(), MAX_PDU_BYTES, "{version}");
        assert_eq!(event.event_type(), "m.room.message");
        assert!(!event.json().contains("unsigned"));
        parts["content"]["body"] = json!("x".repeat(MAX_PDU_BYTES - rest + 1));
        assert_eq!(Pdu::parse(&parts.to_string(), &rules), Err(ParseError::TooLarge), "{version}");
    }
}

#[test]
fn references_are_bounded_in_number() {
    for (version, rules) in all_rules() {
        let pairs = rules.event_format.require_event_id;
        for (field, most) in [("prev_events", MAX_PREV_EVENTS), ("auth_events", MAX_AUTH_EVENTS)] {
            let mut parts = parts(&version);
            let reference = if pairs { json!(["$a:b", { "sha256": "x" }]) } else { json!("$a") };
            parts[field] = vec![reference.clone(); most].into();
            assert!(Pdu::parse(&parts.to_string(), &rules).is_ok(), "{version} {field}");
            parts[field] = vec![reference; most + 1].into();
            assert!(
                matches!(Pdu::parse(&parts.to_string(), &rules), Err(ParseError::TooLong(_))),
                "{version} {field}"
            );
        }
    }
}

#[test]
fn references_are_pairs_in_versions_1_and_2_and_ids_later() {
    for (version, rules) in all_rules() {
        let (good, bad) = (json!(["$a:b", { "sha256": "x" }]), json!("$a:b"));
        let (good, bad) = if rules.event_format.require_event_id { (good, bad) } else { (bad, good) };
        let mut parts = parts(&version);
        parts["prev_events"] = json!([good]);
        assert_eq!(Pdu::parse(&parts.to_string(), &rules).unwrap().prev_events(), ["$a:b"], "{version}");
        for bad in [bad, json!([]), json!(["$a:b"]), json!(["$a:b", {}, 1]), json!({}), json!("a")] {
            parts["prev_events"] = json!([bad]);
            assert!(Pdu::parse(&parts.to_string(), &rules).is_err(), "{version} {bad}");
        }
    }
}

#[test]
fn versions_1_and_2_carry_an_event_id_with_a_server() {
    for version in [RoomVersionId::V1, RoomVersionId::V2] {
        assert_eq!(parse_broken(&version, |_| ()).unwrap().event_id(), "$opaque:domain");
        let missing = parse_broken(&version, |e| drop(e.as_object_mut().unwrap().remove("event_id")));
        assert_eq!(missing, Err(ParseError::Missing("event_id")));
        let without_server = parse_broken(&version, |e| e["event_id"] = json!("$opaque"));
        assert_eq!(without_server, Err(ParseError::Identifier("event_id")));
    }
}

#[test]
fn later_versions_do_not_believe_an_event_id() {
    let claimed = parse_broken(&RoomVersionId::V11, |e| e["event_id"] = json!("$claimed")).unwrap();
    assert_ne!(claimed.event_id(), "$claimed");
}

#[test]
fn numbers_that_are_not_canonical_are_refused_since_version_6_and_kept_before() {
    for (version, rules) in all_rules() {
        for number in ["1.5", "1e3", "9007199254740993", "-0"] {
            let text = parts(&version).to_string().replace("\"Hello\"", number);
            let parsed = Pdu::parse(&text, &rules);
            if rules.authorization.strict_canonical_json {
                assert!(matches!(parsed, Err(ParseError::Json(_))), "{version} {number}");
            } else {
                assert!(parsed.unwrap().json().contains("\"body\":"), "{version} {number}");
            }
        }
    }
}

#[test]
fn depth_may_use_64_bits_before_version_6() {
    let deep = |version| {
        let text = parts(&version).to_string().replace("\"depth\":3", "\"depth\":9223372036854775807");
        Pdu::parse(&text, &rules(&version)).map(|event| event.depth())
    };
    assert_eq!(deep(RoomVersionId::V5), Ok(i64::MAX.unsigned_abs()));
    assert!(matches!(deep(RoomVersionId::V6), Err(ParseError::Json(_))));
}

#[test]
fn duplicate_keys_are_refused_in_every_version() {
    for (version, rules) in all_rules() {
        let text = parts(&version).to_string().replacen('{', "{\"type\":\"m.room.member\",", 1);
        assert!(matches!(Pdu::parse(&text, &rules), Err(ParseError::Json(_))), "{version}");
    }
}

#[test]
fn only_the_create_event_since_version_12_needs_no_room_id() {
    for (version, rules) in all_rules() {
        let mut parts = parts(&version);
        parts.as_object_mut().unwrap().remove("room_id");
        parts["type"] = json!("m.room.create");
        let parsed = Pdu::parse(&parts.to_string(), &rules);
        if version == RoomVersionId::V12 {
            assert!(parsed.unwrap().room_id().server_name().is_none());
        } else {
            assert_eq!(parsed, Err(ParseError::Missing("room_id")), "{version}");
        }
    }
}

#[test]
fn what_is_stored_corrupt_is_an_error() {
    for json in ["", "{}", "null", "{\"type\":\"x\"", "{\"type\":1}"] {
        assert!(Pdu::from_stored("$a".try_into().unwrap(), json).is_err(), "{json}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(
        field in prop::sample::select(vec![
            "type", "sender", "room_id", "event_id", "content", "hashes", "signatures", "depth", "prev_events",
            "auth_events", "origin_server_ts", "state_key", "unsigned", "redacts",
        ]),
        value in r#"[\[\]{}:,"\\ua0$!@-]{0,12}|[0-9e.-]{1,20}|null|"\PC{0,40}""#,
        version in prop::sample::select(SUPPORTED.to_vec()),
    ) {
        let mut parts = parts(&version);
        parts[field] = JsonValue::from("here");
        let text = parts.to_string().replace("\"here\"", &value);
        if let Ok(event) = Pdu::parse(&text, &rules(&version)) {
            let _ = Verification::new(event.clone(), &rules(&version));
            let _ = event.redacts(&rules(&version).redaction);
            prop_assert_eq!(Pdu::from_stored(event.event_id().to_owned(), event.json()).unwrap(), event);
        }
        let _ = Pdu::from_stored("$a".try_into().unwrap(), text);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Pdu::parse(&text, &rules(&RoomVersionId::V1));
        let _ = Pdu::from_stored("$a".try_into().unwrap(), text);
    }
}
