//! The one way by which clients change memberships.

use ruma::{OwnedEventId, OwnedServerName, OwnedUserId, RoomId};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{ChangeMembership, MemberProfile, MembershipAction, MembershipOutcome},
        user::CheckMayLeave,
    },
};
use serde_json::{Map, Value};

use crate::{
    client::{
        elsewhere,
        invitee::{invitee, member_profile},
    },
    context::Ctx,
    extract::ClientAuth,
};

/// A change that a client wants.
pub struct Change {
    /// What is to happen.
    pub action: MembershipAction,
    /// Whose membership it is.
    pub target: OwnedUserId,
    /// Further members of the event's content.
    pub content: Map<String, Value>,
    /// Whether a join of a user who is joined already is to renew the member event.
    pub renews: bool,
    /// Servers that may know the room.
    pub via: Vec<OwnedServerName>,
}

impl Change {
    /// A change of the client's own membership.
    pub fn own(auth: &ClientAuth, action: MembershipAction) -> Self {
        Self { action, target: auth.user_id.clone(), content: Map::new(), renews: false, via: Vec::new() }
    }
}

/// Changes a membership, with the help of other servers where it takes them. Replies with the member event, if it is
/// known.
pub async fn change_membership(
    ctx: &Ctx,
    auth: &ClientAuth,
    room_id: &RoomId,
    change: Change,
) -> Result<Option<OwnedEventId>, MatrixError> {
    let Change { action, target, mut content, renews, mut via } = change;
    let third_party_signed = content.remove("third_party_signed").filter(Value::is_object);
    let profile = match action {
        MembershipAction::Join | MembershipAction::Knock => member_profile(ctx, &auth.user_id).await?,
        MembershipAction::Invite => invitee(ctx, &auth.user_id, &target).await?.profile,
        _ => MemberProfile::default(),
    };
    let command = ChangeMembership {
        sender: auth.user_id.clone(),
        target,
        action,
        profile,
        content,
        is_guest: auth.is_guest,
        renews,
        third_party_signed,
    };
    if action == MembershipAction::Leave {
        ctx.call(auth.localpart(), &CheckMayLeave { room_id: room_id.to_owned() }).await?;
    }
    match ctx.call(&room_id.to_owned(), &command).await? {
        MembershipOutcome::Done(event_id) => Ok(Some(event_id)),
        MembershipOutcome::NeedsServer(servers) => {
            // The client's choice, if there is one: it knows where the user is known.
            via.retain(|server| server != ctx.server_name());
            if via.is_empty() {
                via = servers;
            }
            elsewhere::change_membership(ctx, room_id, &command, &via).await.map(|()| None)
        }
        MembershipOutcome::NeedsInvitation => elsewhere::invite(ctx, room_id, &command).await.map(|()| None),
    }
}
