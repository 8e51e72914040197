#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use ruma::{server_name, user_id};
use serde_json::{Value as JsonValue, json};

use super::*;

const VISIBILITIES: [HistoryVisibility; 4] = [
    HistoryVisibility::WorldReadable,
    HistoryVisibility::Shared,
    HistoryVisibility::Invited,
    HistoryVisibility::Joined,
];

const MEMBERSHIPS: [MembershipState; 5] = [
    MembershipState::Join,
    MembershipState::Invite,
    MembershipState::Leave,
    MembershipState::Ban,
    MembershipState::Knock,
];

fn event(event_type: &str, state_key: Option<&str>, content: &JsonValue) -> Pdu {
    let mut event = json!({
        "type": event_type, "sender": "@sender:a", "room_id": "!r:a", "content": content,
        "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [],
    });
    if let Some(state_key) = state_key {
        event["state_key"] = state_key.into();
    }
    Pdu::from_stored("$event".try_into().unwrap(), event.to_string()).unwrap()
}

fn sees(
    event: &Pdu,
    visibility: &HistoryVisibility,
    membership: &MembershipState,
    joined_since: bool,
) -> bool {
    let before = Standing { visibility: visibility.clone(), membership: membership.clone() };
    user_may_see(event, user_id!("@user:b"), &before, joined_since)
}

#[test]
fn what_is_absent_or_not_understood_is_shared() {
    assert_eq!(history_visibility(None), HistoryVisibility::Shared);
    for (value, expected) in [
        (json!("invited"), HistoryVisibility::Invited),
        (json!("joined"), HistoryVisibility::Joined),
        (json!("world_readable"), HistoryVisibility::WorldReadable),
        (json!("shared"), HistoryVisibility::Shared),
        (json!("secret"), HistoryVisibility::Shared),
        (json!(1), HistoryVisibility::Shared),
    ] {
        let event = event("m.room.history_visibility", Some(""), &json!({ "history_visibility": value }));
        assert_eq!(history_visibility(Some(&event)), expected);
    }
}

#[test]
fn users_see_messages_by_visibility_and_membership() {
    let message = event("m.room.message", None, &json!({}));
    for membership in &MEMBERSHIPS {
        let joined = *membership == MembershipState::Join;
        let invited = *membership == MembershipState::Invite;
        for since in [false, true] {
            let sees = |visibility| sees(&message, visibility, membership, since);
            assert!(sees(&HistoryVisibility::WorldReadable));
            assert_eq!(sees(&HistoryVisibility::Shared), joined || since);
            assert_eq!(sees(&HistoryVisibility::Invited), joined || invited);
            assert_eq!(sees(&HistoryVisibility::Joined), joined);
        }
    }
}

#[test]
fn a_change_of_visibility_is_seen_by_those_who_may_see_before_or_after() {
    for before in &VISIBILITIES {
        for after in &VISIBILITIES {
            let change = event(
                "m.room.history_visibility",
                Some(""),
                &json!({ "history_visibility": after.as_str() }),
            );
            let expected = [before, after].contains(&&HistoryVisibility::WorldReadable);
            assert_eq!(sees(&change, before, &MembershipState::Leave, false), expected);
        }
    }
}

#[test]
fn a_change_of_the_users_own_membership_is_seen_if_it_is_joined_before_or_after() {
    for before in &MEMBERSHIPS {
        for after in &MEMBERSHIPS {
            let content = json!({ "membership": after.as_str() });
            let own = event("m.room.member", Some("@user:b"), &content);
            let joined = [before, after].contains(&&MembershipState::Join);
            assert_eq!(sees(&own, &HistoryVisibility::Joined, before, false), joined);
            let other = event("m.room.member", Some("@other:b"), &content);
            let was_joined = *before == MembershipState::Join;
            assert_eq!(sees(&other, &HistoryVisibility::Joined, before, false), was_joined);
        }
    }
}

#[test]
fn servers_see_by_visibility_and_the_standing_of_their_users() {
    let message = event("m.room.message", None, &json!({}));
    let server = server_name!("b");
    for (joined, invited) in [(false, false), (false, true), (true, false), (true, true)] {
        let before = ServerStanding { joined, invited };
        for (visibility, expected) in [
            (HistoryVisibility::WorldReadable, true),
            (HistoryVisibility::Shared, true),
            (HistoryVisibility::Invited, joined || invited),
            (HistoryVisibility::Joined, joined),
        ] {
            assert_eq!(server_may_see(&message, server, &visibility, before), expected);
        }
    }
}

#[test]
fn servers_see_what_they_sent_and_how_their_users_came_in() {
    let nobody = ServerStanding::default();
    let message = event("m.room.message", None, &json!({}));
    assert!(server_may_see(&message, server_name!("a"), &HistoryVisibility::Joined, nobody));
    let join = event("m.room.member", Some("@user:b"), &json!({ "membership": "join" }));
    assert!(server_may_see(&join, server_name!("b"), &HistoryVisibility::Joined, nobody));
    assert!(!server_may_see(&join, server_name!("c"), &HistoryVisibility::Joined, nobody));
    let invite = event("m.room.member", Some("@user:b"), &json!({ "membership": "invite" }));
    assert!(server_may_see(&invite, server_name!("b"), &HistoryVisibility::Invited, nobody));
    assert!(!server_may_see(&invite, server_name!("b"), &HistoryVisibility::Joined, nobody));
    let opening =
        event("m.room.history_visibility", Some(""), &json!({ "history_visibility": "world_readable" }));
    assert!(server_may_see(&opening, server_name!("c"), &HistoryVisibility::Joined, nobody));
}
