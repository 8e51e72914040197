//! Auth events selection.

use super::*;

fn select(room: &Room, event: &Pdu) -> Result<Vec<String>, Rejection> {
    let rules = &room.rules.authorization;
    let types = auth_types_for_event(
        rules,
        event.event_type(),
        event.sender(),
        event.state_key(),
        event.content_object(),
    )?;
    Ok(types
        .into_iter()
        .map(|(event_type, key)| format!("{}|{key}", event_type.trim_start_matches("m.room.")))
        .collect())
}

/// What every event but the create event selects.
fn base(room: &Room, sender: &str) -> Vec<String> {
    let create = (room.number() < 12).then(|| "create|".to_owned());
    create.into_iter().chain(["power_levels|".to_owned(), format!("member|{sender}")]).collect()
}

#[test]
fn the_create_event_selects_nothing() {
    for room in Room::all() {
        assert_eq!(select(&room, &room.get_pdu("m.room.create", "")), Ok(Vec::new()));
    }
}

#[test]
fn every_event_selects_power_levels_and_sender_and_before_version_12_the_create_event() {
    for room in Room::all() {
        let message = room.event("m.room.message", None, USER, &json!({}));
        assert_eq!(select(&room, &message).unwrap(), base(&room, USER), "{}", room.version);
    }
}

#[test]
fn memberships_select_the_target_and_those_that_enter_the_join_rules() {
    for room in Room::all() {
        for (sender, target, membership, more) in [
            (USER, USER, "join", &["join_rules|"][..]),
            (USER, USER, "knock", &["join_rules|"]),
            (USER, NOBODY, "invite", &["member|@nobody:b", "join_rules|"]),
            (USER, NOBODY, "ban", &["member|@nobody:b"]),
            (USER, USER, "leave", &[]),
        ] {
            let mut expected = base(&room, sender);
            expected.extend(more.iter().map(ToString::to_string));
            assert_eq!(select(&room, &room.member(sender, target, membership)).unwrap(), expected);
        }
    }
}

#[test]
fn joins_select_the_authorising_user_since_version_8() {
    for room in Room::all() {
        let join = |by: JsonValue, membership: &str| {
            let content = json!({ "membership": membership, "join_authorised_via_users_server": by });
            select(&room, &room.event("m.room.member", Some(USER), USER, &content))
        };
        let restricted = room.number() >= 8;
        assert_eq!(join(json!(OTHER), "join").unwrap().contains(&"member|@other:b".to_owned()), restricted);
        assert!(!join(json!(OTHER), "leave").unwrap().contains(&"member|@other:b".to_owned()));
        assert_eq!(join(json!(USER), "join").unwrap().len(), base(&room, USER).len() + 1);
        let bad = join(json!("x"), "join");
        assert_eq!(bad.is_err(), restricted);
    }
}

#[test]
fn third_party_invites_select_their_token() {
    for room in Room::all() {
        let invite = |third_party: JsonValue| {
            let content = json!({ "membership": "invite", "third_party_invite": third_party });
            select(&room, &room.event("m.room.member", Some(NOBODY), USER, &content))
        };
        let types = invite(json!({ "signed": { "token": "t\"" } })).unwrap();
        assert_eq!(types.last().unwrap(), "third_party_invite|t\"");
        assert_eq!(invite(json!({ "signed": {} })), Err(Rejection::ThirdPartyInviteMalformed));
    }
}

#[test]
fn memberships_that_cannot_be_read_select_nothing() {
    for room in Room::all() {
        let without_key = room.event("m.room.member", None, USER, &json!({ "membership": "join" }));
        assert_eq!(select(&room, &without_key), Err(Rejection::MemberBadStateKey));
        let without_membership = room.event("m.room.member", Some(USER), USER, &json!({}));
        assert_eq!(select(&room, &without_membership), Err(Rejection::MemberWithoutMembership));
    }
}
