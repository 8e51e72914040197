//! Rule 5: memberships.

use ruma::{UserId, events::room::member::MembershipState};

use super::{AuthError, Level, Rejection, third_party_invite, view::View};
use crate::event::Pdu;

/// Checks an `m.room.member`.
///
/// Rule 5.2, the signature of the authorising user's server, is part of the verification of signatures.
pub(super) fn check<E>(view: &View<'_, E>, event: &Pdu) -> Result<(), AuthError<E>> {
    // 5.1. It names a user and a membership.
    let target = event.state_key().and_then(|key| <&UserId>::try_from(key).ok());
    let target = target.ok_or(Rejection::MemberBadStateKey)?;
    let membership = event.content_str("membership").ok_or(Rejection::MemberWithoutMembership)?;

    match MembershipState::from(&*membership) {
        MembershipState::Join => check_join(view, event, target),
        MembershipState::Invite => check_invite(view, event, target),
        MembershipState::Leave => check_leave(view, event, target),
        MembershipState::Ban => check_ban(view, event, target),
        MembershipState::Knock if view.rules.knocking => check_knock(view, event, target),
        // 5.8. Otherwise, reject.
        _ => Err(Rejection::UnknownMembership.into()),
    }
}

/// Rule 5.3.
fn check_join<E>(view: &View<'_, E>, event: &Pdu, target: &UserId) -> Result<(), AuthError<E>> {
    // 5.3.1. The creator joins the new room.
    let creator = view.create.creator(view.rules)?;
    if let [prev] = event.prev_events()
        && **prev == *view.create.event().event_id()
        && *target == *creator
    {
        return Ok(());
    }
    // 5.3.2. Users join themselves.
    if event.sender() != target {
        return Err(Rejection::JoinForOther.into());
    }
    // 5.3.3. Not when banned.
    let membership = view.membership(target)?;
    if membership == MembershipState::Ban {
        return Err(Rejection::JoinBanned.into());
    }
    let invited = matches!(membership, MembershipState::Invite | MembershipState::Join);
    match view.join_rule()?.as_str() {
        // 5.3.4. Invited users may join.
        "invite" if invited => Ok(()),
        "knock" if view.rules.knocking && invited => Ok(()),
        // 5.3.5. Others if a member who may invite authorises them.
        "restricted" if view.rules.restricted_join_rule => check_restricted_join(view, event, invited),
        "knock_restricted" if view.rules.knock_restricted_join_rule => {
            check_restricted_join(view, event, invited)
        }
        // 5.3.6. Anyone may join a public room.
        "public" => Ok(()),
        // 5.3.7. Otherwise, reject.
        _ => Err(Rejection::JoinNotAllowed.into()),
    }
}

/// Rule 5.3.5.
fn check_restricted_join<E>(view: &View<'_, E>, event: &Pdu, invited: bool) -> Result<(), AuthError<E>> {
    // 5.3.5.1. Invited users may join.
    if invited {
        return Ok(());
    }
    // 5.3.5.2. The authorising user is joined and may invite.
    let authorising =
        event.content_object().get("join_authorised_via_users_server").filter(|user| !user.is_null());
    let authorising = authorising.ok_or(Rejection::JoinWithoutAuthorisation)?;
    let authorising = authorising.as_str().ok_or(Rejection::MemberBadAuthorisingUser)?;
    let authorising = <&UserId>::try_from(&*authorising).map_err(|_| Rejection::MemberBadAuthorisingUser)?;
    if view.membership(authorising)? != MembershipState::Join {
        return Err(Rejection::AuthorisingUserNotJoined.into());
    }
    let levels = view.power_levels()?;
    if levels.user(authorising)? < levels.level(Level::Invite)? {
        return Err(Rejection::AuthorisingUserMayNotInvite.into());
    }
    // 5.3.5.3. Otherwise, allow.
    Ok(())
}

/// Rule 5.4.
fn check_invite<E>(view: &View<'_, E>, event: &Pdu, target: &UserId) -> Result<(), AuthError<E>> {
    // 5.4.1. Invites by third-party identifiers.
    if let Some(third_party_invite) = event.content_object().get("third_party_invite") {
        return third_party_invite::check(view, event, target, third_party_invite);
    }
    // 5.4.2. The sender is joined.
    view.require_joined(event.sender())?;
    // 5.4.3. The target is neither joined nor banned.
    match view.membership(target)? {
        MembershipState::Join => return Err(Rejection::InviteJoined.into()),
        MembershipState::Ban => return Err(Rejection::InviteBanned.into()),
        _ => {}
    }
    // 5.4.4 and 5.4.5. The sender has the power.
    let levels = view.power_levels()?;
    if levels.user(event.sender())? >= levels.level(Level::Invite)? {
        Ok(())
    } else {
        Err(Rejection::InviteNotAllowed.into())
    }
}

/// Rule 5.5.
fn check_leave<E>(view: &View<'_, E>, event: &Pdu, target: &UserId) -> Result<(), AuthError<E>> {
    let sender_membership = view.membership(event.sender())?;
    // 5.5.1. Users leave what they are in.
    if event.sender() == target {
        return match sender_membership {
            MembershipState::Invite | MembershipState::Join => Ok(()),
            MembershipState::Knock if view.rules.knocking => Ok(()),
            _ => Err(Rejection::LeaveNotMember.into()),
        };
    }
    // 5.5.2. The sender is joined.
    if sender_membership != MembershipState::Join {
        return Err(Rejection::SenderNotJoined.into());
    }
    // 5.5.3. To lift a ban takes the power to ban.
    let target_membership = view.membership(target)?;
    let levels = view.power_levels()?;
    let sender_power = levels.user(event.sender())?;
    if target_membership == MembershipState::Ban && sender_power < levels.level(Level::Ban)? {
        return Err(Rejection::UnbanNotAllowed.into());
    }
    // 5.5.4 and 5.5.5. The sender has the power, and more than the target.
    if sender_power >= levels.level(Level::Kick)? && levels.user(target)? < sender_power {
        Ok(())
    } else {
        Err(Rejection::KickNotAllowed.into())
    }
}

/// Rule 5.6.
fn check_ban<E>(view: &View<'_, E>, event: &Pdu, target: &UserId) -> Result<(), AuthError<E>> {
    // 5.6.1. The sender is joined.
    view.require_joined(event.sender())?;
    // 5.6.2 and 5.6.3. The sender has the power, and more than the target.
    let levels = view.power_levels()?;
    let sender_power = levels.user(event.sender())?;
    if sender_power >= levels.level(Level::Ban)? && levels.user(target)? < sender_power {
        Ok(())
    } else {
        Err(Rejection::BanNotAllowed.into())
    }
}

/// Rule 5.7.
fn check_knock<E>(view: &View<'_, E>, event: &Pdu, target: &UserId) -> Result<(), AuthError<E>> {
    // 5.7.1. The room takes knocks.
    match view.join_rule()?.as_str() {
        "knock" => {}
        "knock_restricted" if view.rules.knock_restricted_join_rule => {}
        _ => return Err(Rejection::KnockNotAllowed.into()),
    }
    // 5.7.2. Users knock for themselves.
    if event.sender() != target {
        return Err(Rejection::KnockForOther.into());
    }
    // 5.7.3 and 5.7.4. Not when banned or in the room.
    match view.membership(target)? {
        MembershipState::Ban | MembershipState::Invite | MembershipState::Join => {
            Err(Rejection::KnockMember.into())
        }
        _ => Ok(()),
    }
}
