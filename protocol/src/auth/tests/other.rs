//! Rules 4, 6 to 9 and 11.

use super::*;

fn message(room: &Room, sender: &str) -> Pdu {
    room.event("m.room.message", None, sender, &json!({}))
}

#[test]
fn nothing_is_allowed_in_a_room_without_a_create_event() {
    for room in Room::all() {
        let room = room.without("m.room.create", "");
        room.rejects(&message(&room, USER), Rejection::NoCreate);
        room.rejects(&room.member(USER, USER, "join"), Rejection::NoCreate);
    }
}

#[test]
fn a_room_that_does_not_federate_takes_events_of_its_own_server_only() {
    for room in Room::all() {
        let room =
            room.with("m.room.create", "", CREATOR, &json!({ "creator": CREATOR, "m.federate": false }));
        room.allows(&message(&room, USER));
        room.rejects(&message(&room, OTHER), Rejection::NotFederated);
        room.rejects(&room.member(INVITED, INVITED, "join"), Rejection::NotFederated);
        let room =
            room.with("m.room.create", "", CREATOR, &json!({ "creator": CREATOR, "m.federate": true }));
        room.allows(&message(&room, OTHER));
        let room = room.with("m.room.create", "", CREATOR, &json!({ "creator": CREATOR, "m.federate": "x" }));
        room.rejects(&message(&room, USER), Rejection::MalformedCreate("m.federate"));
    }
}

#[test]
fn before_version_6_aliases_belong_to_the_senders_server() {
    for room in Room::all() {
        let aliases = |key: Option<&str>, sender| room.event("m.room.aliases", key, sender, &json!({}));
        if room.number() < 6 {
            // Not even membership matters.
            room.allows(&aliases(Some("b"), NOBODY));
            room.rejects(&aliases(Some("a"), NOBODY), Rejection::AliasesWrongDomain);
            room.rejects(&aliases(None, NOBODY), Rejection::AliasesWrongDomain);
        } else {
            room.rejects(&aliases(Some("b"), NOBODY), Rejection::SenderNotJoined);
            room.rejects(&aliases(Some("a"), USER), Rejection::PowerTooLow);
            room.allows(&aliases(Some("x"), MODERATOR));
        }
    }
}

#[test]
fn only_members_send() {
    for room in Room::all() {
        for member in [USER, OTHER, CREATOR] {
            room.allows(&message(&room, member));
        }
        for stranger in [NOBODY, LEFT, INVITED, BANNED, KNOCKING] {
            room.rejects(&message(&room, stranger), Rejection::SenderNotJoined);
        }
        let room = room.with("m.room.member", USER, USER, &json!({ "membership": 1 }));
        room.rejects(&message(&room, USER), Rejection::MalformedMembership);
    }
}

#[test]
fn third_party_invites_are_for_those_who_may_invite() {
    for room in Room::all() {
        let invite = |sender| room.event("m.room.third_party_invite", Some("t"), sender, &json!({}));
        // Not the level of state events.
        room.allows(&invite(USER));
        let room =
            room.clone().levels(&json!({ "invite": 50, "state_default": 0, "users": { MODERATOR: 50 } }));
        room.allows(&invite(MODERATOR));
        room.rejects(&invite(USER), Rejection::ThirdPartyInviteNotAllowed);
    }
}

#[test]
fn events_need_the_power_of_their_type() {
    for room in Room::all() {
        let state = |sender| room.event("m.room.name", Some(""), sender, &json!({}));
        room.allows(&state(MODERATOR));
        room.rejects(&state(USER), Rejection::PowerTooLow);
        let levels =
            json!({ "events": { "m.room.name": 0, "m.room.message": 1 }, "users": { MODERATOR: 1 } });
        let room = room.clone().levels(&levels);
        room.allows(&state(USER));
        room.allows(&message(&room, MODERATOR));
        room.rejects(&message(&room, USER), Rejection::PowerTooLow);
        let room = room.levels(&json!({ "events_default": 10, "users_default": 9, "users": { USER: 10 } }));
        room.allows(&message(&room, USER));
        room.rejects(&message(&room, OTHER), Rejection::PowerTooLow);
    }
}

#[test]
fn without_power_levels_the_creator_alone_has_power() {
    for room in Room::all() {
        let room = room.without("m.room.power_levels", "");
        let state = |sender| room.event("m.room.name", Some(""), sender, &json!({}));
        room.allows(&state(CREATOR));
        room.rejects(&state(MODERATOR), Rejection::PowerTooLow);
        room.allows(&message(&room, USER));
    }
}

#[test]
fn the_creators_power_is_above_every_number_since_version_12() {
    for room in Room::all() {
        let room = room.levels(&json!({ "events": { "m.room.name": 9_007_199_254_740_991_i64 } }));
        let name = room.event("m.room.name", Some(""), CREATOR, &json!({}));
        if room.number() >= 12 { room.allows(&name) } else { room.rejects(&name, Rejection::PowerTooLow) }
    }
}

#[test]
fn state_of_a_user_is_set_by_that_user() {
    for room in Room::all() {
        let room = room.levels(&json!({ "state_default": 0 }));
        let state = |key| room.event("org.example", Some(key), USER, &json!({}));
        room.allows(&state(USER));
        room.allows(&state("user:a"));
        room.rejects(&state(OTHER), Rejection::StateKeyOfOtherUser);
        room.rejects(&state("@"), Rejection::StateKeyOfOtherUser);
    }
}

#[test]
fn before_version_3_redactions_are_for_moderators_and_the_server_of_the_event() {
    for room in Room::all() {
        let redaction = |sender: &str, redacts: Option<&str>| {
            let mut parts = room.parts("m.room.redaction", sender, &json!({}));
            parts["event_id"] = "$redaction:a".into();
            if let Some(redacts) = redacts {
                parts["redacts"] = redacts.into();
            }
            pdu(&parts)
        };
        room.allows(&redaction(MODERATOR, Some("$x:b")));
        room.allows(&redaction(USER, Some("$x:a")));
        for foreign in [Some("$x:b"), Some("$x"), Some("x"), None] {
            if room.number() < 3 {
                room.rejects(&redaction(USER, foreign), Rejection::RedactionNotAllowed);
            } else {
                room.allows(&redaction(USER, foreign));
            }
        }
    }
}

#[test]
fn failures_of_the_state_decide_nothing() {
    struct Broken;
    impl AuthState for Broken {
        type Error = &'static str;

        fn get(&self, _: &str, _: &str) -> Result<Option<Rc<Pdu>>, &'static str> {
            Err("disk on fire")
        }
    }
    for room in Room::all() {
        let decided = check_state_dependent(&room.rules.authorization, &message(&room, USER), &Broken);
        assert_eq!(decided, Err(AuthError::State("disk on fire")));
    }
}
