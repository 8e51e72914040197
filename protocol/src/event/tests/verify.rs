//! Signatures and hashes of received events.

use super::*;

fn verify(event: Pdu, rules: &RoomVersionRules) -> Result<VerifiedPdu, VerificationError> {
    Verification::new(event, rules)?.verify(|check| (check.key_id == "ed25519:1").then(|| key().public_key()))
}

fn edited(event: &Pdu, rules: &RoomVersionRules, how: fn(&mut JsonValue)) -> Pdu {
    let mut parts: JsonValue = serde_json::from_str(event.json()).unwrap();
    how(&mut parts);
    Pdu::parse(&parts.to_string(), rules).unwrap()
}

#[test]
fn a_signed_event_is_verified_with_its_content() {
    for (version, rules) in all_rules() {
        let event = message().build(server(), &key(), &rules).unwrap();
        let verified = verify(event.clone(), &rules).unwrap();
        assert!(!verified.content_lost(), "{version}");
        assert_eq!(*verified, event);
    }
}

#[test]
fn an_event_with_another_content_stands_for_its_redacted_form() {
    for (version, rules) in all_rules() {
        let event = message().build(server(), &key(), &rules).unwrap();
        let changed = edited(&event, &rules, |e| e["content"]["body"] = json!("Good bye"));
        let verified = verify(changed, &rules).unwrap();
        assert!(verified.content_lost(), "{version}");
        assert_eq!(*verified, event.redacted(&rules.redaction));
        assert_eq!(verified.event_id(), event.event_id());
    }
}

#[test]
fn an_event_that_was_redacted_on_its_way_is_verified() {
    for (version, rules) in all_rules() {
        let event = message().build(server(), &key(), &rules).unwrap().redacted(&rules.redaction);
        let verified = verify(event.clone(), &rules).unwrap();
        assert!(verified.content_lost(), "{version}");
        assert_eq!(verified.into_pdu(), event);
    }
}

#[test]
fn an_event_with_a_changed_essential_field_is_not_verified() {
    for (version, rules) in all_rules() {
        let event = message().build(server(), &key(), &rules).unwrap();
        let changed = edited(&event, &rules, |e| e["depth"] = json!(4));
        assert!(matches!(verify(changed, &rules), Err(VerificationError::WrongSignature(..))), "{version}");
    }
}

#[test]
fn the_senders_server_must_have_signed() {
    for (version, rules) in all_rules() {
        let event = message().build(server(), &key(), &rules).unwrap();
        let moved = edited(&event, &rules, |e| {
            e["signatures"]["other"] = e["signatures"]["domain"].take();
            e["signatures"].as_object_mut().unwrap().remove("domain");
        });
        assert_eq!(
            verify(moved, &rules).unwrap_err(),
            VerificationError::Unsigned(server().to_owned()),
            "{version}"
        );
    }
}

#[test]
fn a_policy_servers_key_stands_for_no_server() {
    let rules = rules(&RoomVersionId::V11);
    let event = message().build(server(), &key(), &rules).unwrap();
    let recommended =
        edited(&event, &rules, |e| e["signatures"]["domain"]["ed25519:policy_server"] = json!("AAAA"));
    assert_eq!(Verification::new(recommended, &rules).unwrap().checks().len(), 1);
    let alone =
        edited(&event, &rules, |e| e["signatures"]["domain"] = json!({ "ed25519:policy_server": "AAAA" }));
    assert!(matches!(verify(alone, &rules), Err(VerificationError::Unsigned(_))));
}

#[test]
fn unknown_keys_are_skipped_but_one_known_key_must_have_signed() {
    let rules = rules(&RoomVersionId::V11);
    let event = message().build(server(), &key(), &rules).unwrap();
    let garbage =
        edited(&event, &rules, |e| e["signatures"]["domain"]["ed25519:policy"] = json!("not base64!"));
    assert!(verify(garbage, &rules).is_ok());
    let other_algorithm = edited(&event, &rules, |e| e["signatures"]["domain"] = json!({ "rsa:1": "x" }));
    assert!(matches!(verify(other_algorithm, &rules), Err(VerificationError::Unsigned(_))));
    let unknown = Verification::new(event, &rules).unwrap().verify(|_| None);
    assert_eq!(unknown, Err(VerificationError::Unsigned(server().to_owned())));
}

#[test]
fn a_wrong_signature_by_a_known_key_spoils_the_right_ones() {
    let rules = rules(&RoomVersionId::V11);
    let event = message().build(server(), &key(), &rules).unwrap();
    let two = event.with_signature(server(), "ed25519:2", &[0; 64]).unwrap();
    let verification = Verification::new(two, &rules).unwrap();
    assert_eq!(verification.checks().len(), 2);
    assert!(matches!(
        verification.verify(|_| Some(key().public_key())),
        Err(VerificationError::WrongSignature(..))
    ));
}

#[test]
fn outcomes_that_are_missing_verify_nothing() {
    let rules = rules(&RoomVersionId::V11);
    let event = message().build(server(), &key(), &rules).unwrap();
    let verification = Verification::new(event, &rules).unwrap();
    assert!(matches!(verification.finish(&[]), Err(VerificationError::Unsigned(_))));
}

#[test]
fn keys_must_have_been_valid_since_version_5() {
    for (version, rules) in all_rules() {
        let event = message().build(server(), &key(), &rules).unwrap();
        let valid_at = Verification::new(event, &rules).unwrap().keys_valid_at();
        let enforced = !["1", "2", "3", "4"].contains(&version.as_str());
        assert_eq!(valid_at, enforced.then(|| ts(1_000_000)), "{version}");
    }
}

fn required(builder: &EventBuilder, version: &RoomVersionId) -> Vec<String> {
    let rules = rules(version);
    let event = builder.build(ruma::server_name!("maker"), &key(), &rules).unwrap();
    required_servers(&event, &rules).unwrap().into_iter().map(|server| server.to_string()).collect()
}

#[test]
fn the_event_ids_server_must_have_signed_in_versions_1_and_2() {
    for (version, _) in all_rules() {
        let expected: &[&str] =
            if ["1", "2"].contains(&version.as_str()) { &["domain", "maker"] } else { &["domain"] };
        assert_eq!(required(&message(), &version), expected, "{version}");
    }
}

#[test]
fn the_authorising_users_server_must_have_signed_since_version_8() {
    let content = json!({ "membership": "join", "join_authorised_via_users_server": "@bob:resident" });
    let join = state("m.room.member", "@alice:domain", &content);
    for version in [RoomVersionId::V7, RoomVersionId::V8, RoomVersionId::V12] {
        let expected: &[&str] =
            if version == RoomVersionId::V7 { &["domain"] } else { &["domain", "resident"] };
        assert_eq!(required(&join, &version), expected, "{version}");
    }
    let message = EventBuilder { content: content.to_string(), ..message() };
    assert_eq!(required(&message, &RoomVersionId::V8), ["domain"]);
    let malformed =
        state("m.room.member", "@alice:domain", &json!({ "join_authorised_via_users_server": 1 }));
    let rules = rules(&RoomVersionId::V8);
    let malformed = malformed.build(server(), &key(), &rules).unwrap();
    assert!(matches!(required_servers(&malformed, &rules), Err(VerificationError::Identifier(_))));
}

#[test]
fn an_invite_by_third_party_identifier_needs_no_signature_of_the_senders_server() {
    let invite = |membership: &str| {
        state("m.room.member", "@bob:other", &json!({ "membership": membership, "third_party_invite": {} }))
    };
    assert!(required(&invite("invite"), &RoomVersionId::V11).is_empty());
    assert_eq!(required(&invite("join"), &RoomVersionId::V11), ["domain"]);
}
