//! Which state events authorise an event. [S-S §8.3, auth events selection]

use std::borrow::Cow;

use ruma::{UserId, room_version_rules::AuthorizationRules};

use super::Rejection;
use crate::json::{Object, Value};

/// The (type, state key) pairs of the state that authorises an event of this type, sender, state key and content.
///
/// # Errors
///
/// When the event is a membership that names no target or whose content cannot be read: no server can allow it.
pub fn auth_types_for_event<'a>(
    rules: &AuthorizationRules,
    event_type: &str,
    sender: &'a UserId,
    state_key: Option<&'a str>,
    content: Object<'a>,
) -> Result<Vec<(&'static str, Cow<'a, str>)>, Rejection> {
    if event_type == "m.room.create" {
        return Ok(Vec::new());
    }
    let mut types = Vec::with_capacity(5);
    // Since room version 12 the room id itself names the create event.
    if !rules.room_create_event_id_as_room_id {
        types.push(("m.room.create", Cow::Borrowed("")));
    }
    types.push(("m.room.power_levels", Cow::Borrowed("")));
    types.push(("m.room.member", Cow::Borrowed(sender.as_str())));
    if event_type == "m.room.member" {
        select_for_member(rules, state_key, content, &mut types)?;
    }
    Ok(types)
}

fn select_for_member<'a>(
    rules: &AuthorizationRules,
    state_key: Option<&'a str>,
    content: Object<'a>,
    types: &mut Vec<(&'static str, Cow<'a, str>)>,
) -> Result<(), Rejection> {
    let target = state_key.ok_or(Rejection::MemberBadStateKey)?;
    push_member(Cow::Borrowed(target), types);

    let membership =
        content.get("membership").and_then(Value::as_str).ok_or(Rejection::MemberWithoutMembership)?;
    if matches!(&*membership, "join" | "invite" | "knock") {
        types.push(("m.room.join_rules", Cow::Borrowed("")));
    }
    if membership == "invite"
        && let Some(third_party_invite) = content.get("third_party_invite")
    {
        let signed = third_party_invite.as_object().and_then(|invite| invite.get("signed")?.as_object());
        let token = signed.and_then(|signed| signed.get("token")?.as_str());
        types.push(("m.room.third_party_invite", token.ok_or(Rejection::ThirdPartyInviteMalformed)?));
    }
    if membership == "join"
        && rules.restricted_join_rule
        && let Some(user) = content.get("join_authorised_via_users_server").filter(|user| !user.is_null())
    {
        let user = user.as_str().filter(|user| <&UserId>::try_from(&**user).is_ok());
        push_member(user.ok_or(Rejection::MemberBadAuthorisingUser)?, types);
    }
    Ok(())
}

fn push_member<'a>(user: Cow<'a, str>, types: &mut Vec<(&'static str, Cow<'a, str>)>) {
    let member = ("m.room.member", user);
    if !types.contains(&member) {
        types.push(member);
    }
}
