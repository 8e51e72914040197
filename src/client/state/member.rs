//! Member events that clients write themselves: they go the way of all changes of membership.

use ruma::{OwnedEventId, OwnedUserId, RoomId, events::room::member::MembershipState};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::room::{GetMembership, MembershipAction},
};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    client::membership::{Change, change_membership},
    context::Ctx,
    extract::ClientAuth,
};

/// Makes the change of membership that an `m.room.member` with this content would make.
pub(super) async fn send_member(
    ctx: &Ctx,
    auth: &ClientAuth,
    room_id: &RoomId,
    state_key: &str,
    content: &RawValue,
) -> Result<OwnedEventId, MatrixError> {
    let content: Map<String, Value> = serde_json::from_str(content.get())?;
    let target = OwnedUserId::try_from(state_key)
        .map_err(|_| MatrixError::invalid_param("The state key of a member event is a user id"))?;
    let membership = content.get("membership").and_then(Value::as_str);
    let membership =
        membership.ok_or_else(|| MatrixError::bad_json("A member event needs a `membership`"))?;
    let own = target == auth.user_id;
    let action = match (MembershipState::from(membership), own) {
        (MembershipState::Join, true) => MembershipAction::Join,
        (MembershipState::Knock, true) => MembershipAction::Knock,
        (MembershipState::Leave, true) => MembershipAction::Leave,
        (MembershipState::Invite, _) => MembershipAction::Invite,
        (MembershipState::Ban, _) => MembershipAction::Ban,
        (MembershipState::Leave, false) => {
            let command = GetMembership { user_id: target.clone() };
            match ctx.call(&room_id.to_owned(), &command).await? {
                MembershipState::Ban => MembershipAction::Unban,
                _ => MembershipAction::Kick,
            }
        }
        (MembershipState::Join | MembershipState::Knock, false) => {
            return Err(MatrixError::forbidden("Users join and knock for themselves only"));
        }
        _ => return Err(MatrixError::bad_json("Unknown `membership`")),
    };
    let change = Change { target, content, renews: true, ..Change::own(auth, action) };
    let event_id = change_membership(ctx, auth, room_id, change).await?;
    event_id.ok_or_else(|| MatrixError::bad_request("Another server makes this change"))
}
