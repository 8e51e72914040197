//! Rule 5.

use ruma::{server_name, user_id};

use super::*;
use crate::signing::{key_pair, sign_object};

#[test]
fn a_member_event_names_a_user_and_a_membership() {
    for room in Room::all() {
        let join = json!({ "membership": "join" });
        room.rejects(&room.event("m.room.member", None, USER, &join), Rejection::MemberBadStateKey);
        room.rejects(&room.event("m.room.member", Some("user"), USER, &join), Rejection::MemberBadStateKey);
        let without = room.event("m.room.member", Some(USER), USER, &json!({}));
        room.rejects(&without, Rejection::MemberWithoutMembership);
        let number = room.event("m.room.member", Some(USER), USER, &json!({ "membership": 1 }));
        room.rejects(&number, Rejection::MemberWithoutMembership);
        room.rejects(&room.member(USER, USER, "dance"), Rejection::UnknownMembership);
    }
}

#[test]
fn the_creator_joins_after_the_create_event() {
    for room in Room::all() {
        let new = Room { state: BTreeMap::new(), ..room };
        let new = new.clone().with("m.room.create", "", CREATOR, &json!({ "creator": CREATOR }));
        let first = |user: &str, prev: &JsonValue| {
            let mut parts = new.parts("m.room.member", user, &json!({ "membership": "join" }));
            parts["state_key"] = user.into();
            parts["prev_events"] = prev.clone();
            pdu(&parts)
        };
        new.allows(&first(CREATOR, &json!(["$create:a"])));
        new.rejects(&first(CREATOR, &json!(["$other"])), Rejection::JoinNotAllowed);
        new.rejects(&first(CREATOR, &json!(["$create:a", "$other"])), Rejection::JoinNotAllowed);
        new.rejects(&first(USER, &json!(["$create:a"])), Rejection::JoinNotAllowed);
    }
}

#[test]
fn the_creator_is_the_sender_since_version_11_and_named_in_the_content_before() {
    for room in Room::all() {
        let sender_is_creator = room.number() >= 11;
        let new = Room { state: BTreeMap::new(), ..room };
        let new = new.clone().with("m.room.create", "", CREATOR, &json!({ "creator": USER }));
        let mut parts = new.parts("m.room.member", CREATOR, &json!({ "membership": "join" }));
        parts["state_key"] = CREATOR.into();
        parts["prev_events"] = json!(["$create:a"]);
        let join = pdu(&parts);
        if sender_is_creator { new.allows(&join) } else { new.rejects(&join, Rejection::JoinNotAllowed) }
    }
}

#[test]
fn users_join_only_themselves() {
    for room in Room::all() {
        room.open_to("public").rejects_member(CREATOR, NOBODY, "join", Rejection::JoinForOther);
    }
}

impl Room {
    fn rejects_member(&self, sender: &str, target: &str, membership: &str, rejection: Rejection) {
        self.rejects(&self.member(sender, target, membership), rejection);
    }

    fn allows_member(&self, sender: &str, target: &str, membership: &str) {
        self.allows(&self.member(sender, target, membership));
    }
}

#[test]
fn banned_users_do_not_join() {
    for room in Room::all() {
        room.open_to("public").rejects_member(BANNED, BANNED, "join", Rejection::JoinBanned);
    }
}

#[test]
fn anyone_joins_a_public_room() {
    for room in Room::all().map(|room| room.open_to("public")) {
        for user in [NOBODY, LEFT, INVITED, USER, KNOCKING] {
            room.allows_member(user, user, "join");
        }
    }
}

#[test]
fn only_the_invited_join_an_invite_only_room() {
    for room in Room::all() {
        for room in [room.clone(), room.without("m.room.join_rules", "")] {
            for user in [INVITED, USER] {
                room.allows_member(user, user, "join");
            }
            for user in [NOBODY, LEFT, KNOCKING] {
                room.rejects_member(user, user, "join", Rejection::JoinNotAllowed);
            }
        }
    }
}

#[test]
fn join_rules_are_known_since_their_version() {
    for (join_rule, since) in [("knock", 7), ("restricted", 8), ("knock_restricted", 10), ("private", 99)] {
        for room in Room::all().map(|room| room.open_to(join_rule)) {
            if room.number() >= since {
                room.allows_member(INVITED, INVITED, "join");
            } else {
                room.rejects_member(INVITED, INVITED, "join", Rejection::JoinNotAllowed);
            }
        }
    }
    for room in Room::all() {
        let room = room.with("m.room.join_rules", "", CREATOR, &json!({ "join_rule": 1 }));
        room.rejects_member(INVITED, INVITED, "join", Rejection::MalformedJoinRules);
    }
}

#[test]
fn a_member_who_may_invite_lets_users_join_a_restricted_room() {
    let restricted = Room::since("8").map(|room| room.open_to("restricted"));
    let knock_restricted = Room::since("10").map(|room| room.open_to("knock_restricted"));
    for room in restricted.chain(knock_restricted) {
        let join = |by: JsonValue| {
            let content = json!({ "membership": "join", "join_authorised_via_users_server": by });
            room.event("m.room.member", Some(NOBODY), NOBODY, &content)
        };
        room.allows(&join(json!(USER)));
        room.rejects(&join(json!(LEFT)), Rejection::AuthorisingUserNotJoined);
        room.rejects(&join(json!(null)), Rejection::JoinWithoutAuthorisation);
        room.rejects(&join(json!("user")), Rejection::MemberBadAuthorisingUser);
        room.rejects(&join(json!(1)), Rejection::MemberBadAuthorisingUser);
        room.rejects_member(NOBODY, NOBODY, "join", Rejection::JoinWithoutAuthorisation);
        let closed = room.clone().levels(&json!({ "invite": 50, "users": { MODERATOR: 50 } }));
        closed.allows(&join(json!(MODERATOR)));
        closed.rejects(&join(json!(USER)), Rejection::AuthorisingUserMayNotInvite);
    }
}

#[test]
fn joined_members_invite_those_outside() {
    for room in Room::all() {
        for target in [NOBODY, LEFT, INVITED, KNOCKING] {
            room.allows_member(USER, target, "invite");
        }
        room.rejects_member(LEFT, NOBODY, "invite", Rejection::SenderNotJoined);
        room.rejects_member(USER, OTHER, "invite", Rejection::InviteJoined);
        room.rejects_member(USER, BANNED, "invite", Rejection::InviteBanned);
        let room = room.levels(&json!({ "invite": 50, "users": { MODERATOR: 50 } }));
        room.allows_member(MODERATOR, NOBODY, "invite");
        room.rejects_member(USER, NOBODY, "invite", Rejection::InviteNotAllowed);
    }
}

#[test]
fn third_party_invites_are_for_whom_a_key_of_the_room_signed() {
    let key = key_pair(&[1; 32], "0".to_owned()).unwrap();
    let public = crate::auth::tests::oracle::base64(&key.public_key());
    let sign = |mxid: &str, token: &str| -> JsonValue {
        let signed = json!({ "mxid": mxid, "token": token }).to_string();
        serde_json::from_str(&sign_object(&signed, server_name!("id"), &key).unwrap()).unwrap()
    };
    for room in Room::all() {
        let invite = |sender: &str, target: &str, third_party: JsonValue| {
            let content = json!({ "membership": "invite", "third_party_invite": third_party });
            room.event("m.room.member", Some(target), sender, &content)
        };
        let good = invite(USER, NOBODY, json!({ "signed": sign(NOBODY, "t") }));
        for keys in [
            json!({ "public_key": public }),
            json!({ "public_keys": [{ "public_key": "AAAA" }, { "public_key": public }] }),
            json!({ "public_key": public.replace('+', "-").replace('/', "_") }),
        ] {
            room.clone().with("m.room.third_party_invite", "t", USER, &keys).allows(&good);
        }
        room.rejects(&good, Rejection::ThirdPartyInviteUnknown);
        let other_key = json!({ "public_key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" });
        let other_keys = room.clone().with("m.room.third_party_invite", "t", USER, &other_key);
        other_keys.rejects(&good, Rejection::ThirdPartyInviteUnsigned);

        let room =
            room.clone().with("m.room.third_party_invite", "t", USER, &json!({ "public_key": public }));
        let banned = invite(USER, BANNED, json!({ "signed": sign(BANNED, "t") }));
        room.rejects(&banned, Rejection::InviteBanned);
        for malformed in [
            json!(null),
            json!({}),
            json!({ "signed": 1 }),
            json!({ "signed": { "mxid": NOBODY } }),
            json!({ "signed": { "token": "t" } }),
        ] {
            room.rejects(&invite(USER, NOBODY, malformed), Rejection::ThirdPartyInviteMalformed);
        }
        let for_other = invite(USER, NOBODY, json!({ "signed": sign(LEFT, "t") }));
        room.rejects(&for_other, Rejection::ThirdPartyInviteOtherUser);
        let by_other = invite(MODERATOR, NOBODY, json!({ "signed": sign(NOBODY, "t") }));
        room.rejects(&by_other, Rejection::ThirdPartyInviteOtherSender);
        let mut forged = sign(NOBODY, "t");
        forged["mxid"] = LEFT.into();
        let forged = invite(USER, LEFT, json!({ "signed": forged }));
        room.rejects(&forged, Rejection::ThirdPartyInviteUnsigned);
        let unsigned = invite(USER, NOBODY, json!({ "signed": { "mxid": NOBODY, "token": "t" } }));
        room.rejects(&unsigned, Rejection::ThirdPartyInviteUnsigned);
    }
}

#[test]
fn users_leave_what_they_are_in() {
    for room in Room::all() {
        for user in [USER, INVITED] {
            room.allows_member(user, user, "leave");
        }
        for user in [NOBODY, LEFT, BANNED] {
            room.rejects_member(user, user, "leave", Rejection::LeaveNotMember);
        }
        if room.number() >= 7 {
            room.allows_member(KNOCKING, KNOCKING, "leave");
        } else {
            room.rejects_member(KNOCKING, KNOCKING, "leave", Rejection::LeaveNotMember);
        }
    }
}

#[test]
fn members_kick_those_of_less_power() {
    for room in Room::all() {
        for target in [USER, INVITED, KNOCKING, LEFT] {
            room.allows_member(MODERATOR, target, "leave");
        }
        room.allows_member(CREATOR, MODERATOR, "leave");
        room.rejects_member(LEFT, USER, "leave", Rejection::SenderNotJoined);
        room.rejects_member(USER, OTHER, "leave", Rejection::KickNotAllowed);
        room.rejects_member(MODERATOR, CREATOR, "leave", Rejection::KickNotAllowed);
        let equals = room.clone().levels(&json!({ "users": { MODERATOR: 50, USER: 50 } }));
        equals.rejects_member(MODERATOR, USER, "leave", Rejection::KickNotAllowed);
        let strict = room.levels(&json!({ "kick": 51, "users": { MODERATOR: 50 } }));
        strict.rejects_member(MODERATOR, USER, "leave", Rejection::KickNotAllowed);
    }
}

#[test]
fn to_lift_a_ban_takes_the_power_to_ban_and_to_kick() {
    for room in Room::all() {
        room.allows_member(MODERATOR, BANNED, "leave");
        room.rejects_member(USER, BANNED, "leave", Rejection::UnbanNotAllowed);
        let ban = room.clone().levels(&json!({ "ban": 51, "users": { MODERATOR: 50 } }));
        ban.rejects_member(MODERATOR, BANNED, "leave", Rejection::UnbanNotAllowed);
        ban.allows_member(MODERATOR, USER, "leave");
        let kick = room.levels(&json!({ "kick": 51, "users": { MODERATOR: 50 } }));
        kick.rejects_member(MODERATOR, BANNED, "leave", Rejection::KickNotAllowed);
    }
}

#[test]
fn members_ban_those_of_less_power() {
    for room in Room::all() {
        for target in [USER, INVITED, NOBODY, BANNED] {
            room.allows_member(MODERATOR, target, "ban");
        }
        room.rejects_member(LEFT, USER, "ban", Rejection::SenderNotJoined);
        room.rejects_member(USER, OTHER, "ban", Rejection::BanNotAllowed);
        room.rejects_member(MODERATOR, CREATOR, "ban", Rejection::BanNotAllowed);
        room.rejects_member(MODERATOR, MODERATOR, "ban", Rejection::BanNotAllowed);
        let strict = room.levels(&json!({ "ban": 51, "users": { MODERATOR: 50 } }));
        strict.rejects_member(MODERATOR, USER, "ban", Rejection::BanNotAllowed);
    }
}

#[test]
fn users_knock_since_version_7_where_the_join_rule_lets_them() {
    for room in Room::before("7") {
        room.open_to("knock").rejects_member(NOBODY, NOBODY, "knock", Rejection::UnknownMembership);
    }
    for room in Room::since("7") {
        let room = room.open_to("knock");
        for user in [NOBODY, LEFT, KNOCKING] {
            room.allows_member(user, user, "knock");
        }
        for user in [USER, INVITED, BANNED] {
            room.rejects_member(user, user, "knock", Rejection::KnockMember);
        }
        room.rejects_member(USER, NOBODY, "knock", Rejection::KnockForOther);
        for join_rule in ["invite", "public", "restricted"] {
            let closed = room.clone().open_to(join_rule);
            closed.rejects_member(NOBODY, NOBODY, "knock", Rejection::KnockNotAllowed);
        }
        let restricted = room.open_to("knock_restricted");
        if restricted.number() >= 10 {
            restricted.allows_member(NOBODY, NOBODY, "knock");
        } else {
            restricted.rejects_member(NOBODY, NOBODY, "knock", Rejection::KnockNotAllowed);
        }
    }
}

#[test]
fn additional_creators_have_all_power_since_version_12() {
    let create = json!({ "additional_creators": [USER], "creator": CREATOR });
    for room in Room::all() {
        let is_v12 = room.number() >= 12;
        let room = room.with("m.room.create", "", CREATOR, &create);
        if is_v12 {
            room.allows_member(USER, MODERATOR, "ban");
            room.rejects_member(USER, CREATOR, "ban", Rejection::BanNotAllowed);
            room.rejects_member(CREATOR, USER, "ban", Rejection::BanNotAllowed);
        } else {
            room.rejects_member(USER, MODERATOR, "ban", Rejection::BanNotAllowed);
        }
        let create = RoomCreate::new(room.get_pdu("m.room.create", ""));
        assert_eq!(create.is_creator(user_id!("@user:a"), &room.rules.authorization), Ok(is_v12));
        assert_eq!(create.creators(&room.rules.authorization).unwrap().len(), if is_v12 { 2 } else { 1 });
    }
}
