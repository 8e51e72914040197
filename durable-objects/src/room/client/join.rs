//! Joins.

use std::rc::Rc;

use ruma::{
    OwnedRoomId, OwnedUserId, UserId,
    api::error::ErrorCode,
    events::room::member::MembershipState,
    room::{AllowRule, JoinRule},
};
use selvedge_protocol::auth::{AuthState, Level, PowerLevels};
use serde_json::{Value, json};

use super::membership::member_event;
use crate::{
    concurrent::{ALL, each},
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{RoomEngine, commit::NewEvent, state::State},
    rpc::{
        self,
        room::{ChangeMembership, GetMembership, MembershipOutcome},
    },
};

/// How many rooms are asked whether they vouch for a user.
const MAX_ALLOWED_ROOMS: usize = 50;
/// How many local members are looked at for one with some power.
const MAX_CANDIDATES: u32 = 500;

impl RoomEngine {
    pub(super) async fn join(
        self: &Rc<Self>,
        mut command: ChangeMembership,
    ) -> Result<MembershipOutcome, MatrixError> {
        let membership = self.current_membership(&command.sender)?;
        if membership == MembershipState::Join {
            if command.renews {
                return self.set_membership_of(command, "join").await;
            }
            let event_id = self.member_event_id(&command.sender)?;
            let event_id = event_id.ok_or_else(|| MatrixError::internal("A member without event"))?;
            return Ok(MembershipOutcome::Done(event_id));
        }
        if command.is_guest && !self.lets_guests_in()? {
            let text = "Guests may not join this room";
            return Err(MatrixError::new(403, ErrorCode::GuestAccessForbidden, text));
        }
        let signed = command.third_party_signed.take();
        let invitation = signed.and_then(|signed| third_party_invitation(&command, signed));
        if membership != MembershipState::Invite
            && invitation.is_none()
            && let Some(allowed) = self.restricted_to()?
        {
            if !self.is_in_any(&command.sender, allowed).await? {
                let text = "You are neither invited nor in a room that lets you join this one";
                return Err(MatrixError::forbidden(text));
            }
            let Some(authoriser) = self.find_authoriser()? else {
                let others = self.known_servers()?;
                if others.is_empty() {
                    return Err(MatrixError::forbidden("Nobody in this room can let you in"));
                }
                return Ok(MembershipOutcome::NeedsServer(others));
            };
            command.content.insert("join_authorised_via_users_server".to_owned(), json!(authoriser));
        }
        if command.is_guest {
            self.expect_guest(&command.sender)?;
        }
        let pen = self.pen().await?;
        let mut events: Vec<NewEvent> = invitation.into_iter().collect();
        events.push(member_event(command, "join"));
        let committed = self.write(&pen, &events).await?;
        let joined = committed.into_iter().next_back();
        let joined = joined.ok_or_else(|| MatrixError::internal("The event was not committed"))?;
        Ok(MembershipOutcome::Done(joined.event_id))
    }

    /// The rooms whose members may join, if the room is restricted.
    pub(in crate::room) fn restricted_to(&self) -> Result<Option<Vec<OwnedRoomId>>, DatabaseError> {
        let rules = self.store.rules()?;
        let event = State::current(&self.store)?.get("m.room.join_rules", "")?;
        let rule = event.and_then(|event| event.content_as::<JoinRule>().ok());
        let restricted = match rule {
            Some(JoinRule::Restricted(restricted)) if rules.authorization.restricted_join_rule => restricted,
            Some(JoinRule::KnockRestricted(restricted)) if rules.authorization.knock_restricted_join_rule => {
                restricted
            }
            _ => return Ok(None),
        };
        let rooms = restricted.allow.into_iter().filter_map(|rule| match rule {
            AllowRule::RoomMembership(membership) => Some(membership.room_id),
            _ => None,
        });
        Ok(Some(rooms.take(MAX_ALLOWED_ROOMS).collect()))
    }

    /// Whether the user is joined to one of the rooms, as far as this server takes part in them.
    pub(in crate::room) async fn is_in_any(
        &self,
        user_id: &UserId,
        rooms: Vec<OwnedRoomId>,
    ) -> Result<bool, MatrixError> {
        let platform = self.runtime.platform.as_ref();
        let command = GetMembership { user_id: user_id.to_owned() };
        for membership in each(ALL, rooms, |room_id| rpc::call(platform, &room_id, &command)).await {
            if membership? == MembershipState::Join {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A joined user of this server with the power to invite, who stands for those who join a restricted room.
    pub(in crate::room) fn find_authoriser(&self) -> Result<Option<OwnedUserId>, DatabaseError> {
        self.find_local_user(|levels, user| {
            matches!((levels.user(user), levels.level(Level::Invite)), (Ok(power), Ok(needed)) if power >= needed)
        })
    }

    /// A joined user of this server with the power that is wanted, among the first ones.
    pub(in crate::room) fn find_local_user(
        &self,
        is_able: impl Fn(&PowerLevels, &UserId) -> bool,
    ) -> Result<Option<OwnedUserId>, DatabaseError> {
        let Ok(levels) = State::current(&self.store)?.power_levels()? else { return Ok(None) };
        let mut after = String::new();
        let mut seen = 0_u32;
        while seen < MAX_CANDIDATES {
            let page = self.store.joined_local(&after, 100)?;
            let Some(last) = page.last() else { break };
            last.as_str().clone_into(&mut after);
            seen = seen.saturating_add(100);
            let able = page.into_iter().find(|user| is_able(&levels, user));
            if able.is_some() {
                return Ok(able);
            }
        }
        Ok(None)
    }
}

/// The invitation that a third-party invite promised to whom it names `[C-S §11.24]`: sent in the name of its sender,
/// if that is a user of this server.
fn third_party_invitation(command: &ChangeMembership, signed: Value) -> Option<NewEvent> {
    let sender = OwnedUserId::try_from(signed.get("sender")?.as_str()?).ok()?;
    if sender.server_name() != command.sender.server_name() {
        return None;
    }
    let signed = json!({
        "mxid": signed.get("mxid")?,
        "token": signed.get("token")?,
        "signatures": signed.get("signatures")?,
    });
    let content = json!({
        "membership": "invite",
        "third_party_invite": { "display_name": command.sender.localpart(), "signed": signed },
    });
    let target = command.sender.as_str();
    Some(NewEvent::state(sender, "m.room.member", target, content.to_string()))
}
