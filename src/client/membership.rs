//! Room membership `[C-S §11.2]`.

mod change;
mod list;

use ruma::{
    OwnedRoomOrAliasId, OwnedServerName, OwnedUserId, RoomAliasId, RoomId,
    api::client::{
        knock::knock_room::v3 as knock_room,
        membership::{
            ban_user::v3 as ban_user,
            forget_room::v3 as forget_room,
            invite_user::v3::{self as invite_user, InvitationRecipient},
            join_room_by_id::v3 as join_room_by_id,
            join_room_by_id_or_alias::v3 as join_room_by_id_or_alias,
            kick_user::v3 as kick_user,
            leave_room::v3 as leave_room,
            unban_user::v3 as unban_user,
        },
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{room::MembershipAction, user::ForgetRoom},
};

pub use self::{
    change::{Change, change_membership},
    list::{get_member_events, joined_members, joined_rooms},
};
use super::room_alias::resolve;
use crate::{
    body::WithBody,
    context::Ctx,
    extract::{ClientAuth, GuestsToo, Sender},
};

/// `POST /_matrix/client/v3/rooms/{roomId}/join`
pub async fn join_room_by_id(
    ctx: Ctx,
    Sender(auth): Sender,
    request: WithBody<join_room_by_id::Request>,
) -> Result<join_room_by_id::Response, MatrixError> {
    let room_id = request.request.room_id;
    let change = Change { content: request.body, ..Change::own(&auth, MembershipAction::Join) };
    change_membership(&ctx, &auth, &room_id, change).await?;
    Ok(join_room_by_id::Response::new(room_id))
}

/// `POST /_matrix/client/v3/join/{roomIdOrAlias}`
pub async fn join_room_by_id_or_alias(
    ctx: Ctx,
    Sender(auth): Sender,
    request: WithBody<join_room_by_id_or_alias::Request>,
) -> Result<join_room_by_id_or_alias::Response, MatrixError> {
    let WithBody { request, body } = request;
    let (room_id, via) = find_room(&ctx, request.room_id_or_alias, request.via).await?;
    let change = Change { content: body, via, ..Change::own(&auth, MembershipAction::Join) };
    change_membership(&ctx, &auth, &room_id, change).await?;
    Ok(join_room_by_id_or_alias::Response::new(room_id))
}

/// `POST /_matrix/client/v3/knock/{roomIdOrAlias}`
pub async fn knock_room(
    ctx: Ctx,
    Sender(auth): Sender,
    request: WithBody<knock_room::Request>,
) -> Result<knock_room::Response, MatrixError> {
    auth.check_not_guest()?;
    let WithBody { request, body } = request;
    let (room_id, via) = find_room(&ctx, request.room_id_or_alias, request.via).await?;
    let change = Change { content: body, via, ..Change::own(&auth, MembershipAction::Knock) };
    change_membership(&ctx, &auth, &room_id, change).await?;
    Ok(knock_room::Response::new(room_id))
}

/// The room that an id or alias names, and servers that may know it.
pub async fn find_room(
    ctx: &Ctx,
    named: OwnedRoomOrAliasId,
    via: Vec<OwnedServerName>,
) -> Result<(ruma::OwnedRoomId, Vec<OwnedServerName>), MatrixError> {
    let text = named.as_str();
    if let Ok(room_id) = <&RoomId>::try_from(text) {
        return Ok((room_id.to_owned(), via));
    }
    let alias = <&RoomAliasId>::try_from(text)
        .map_err(|_| MatrixError::invalid_param("This is neither a room id nor an alias"))?;
    let resolved = resolve(ctx, alias).await?;
    let mut servers = resolved.servers;
    servers.extend(via);
    Ok((resolved.room_id, servers))
}

/// `POST /_matrix/client/v3/rooms/{roomId}/leave`
pub async fn leave_room(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: WithBody<leave_room::Request>,
) -> Result<leave_room::Response, MatrixError> {
    let change = Change { content: request.body, ..Change::own(&auth, MembershipAction::Leave) };
    change_membership(&ctx, &auth, &request.request.room_id, change).await?;
    Ok(leave_room::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/forget`
pub async fn forget_room(
    ctx: Ctx,
    auth: ClientAuth,
    request: forget_room::Request,
) -> Result<forget_room::Response, MatrixError> {
    ctx.call(auth.localpart(), &ForgetRoom { room_id: request.room_id }).await?;
    Ok(forget_room::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/invite`
pub async fn invite_user(
    ctx: Ctx,
    Sender(auth): Sender,
    request: WithBody<invite_user::Request>,
) -> Result<invite_user::Response, MatrixError> {
    auth.check_not_guest()?;
    let WithBody { request, body } = request;
    let InvitationRecipient::UserId(recipient) = request.recipient else {
        return Err(super::third_party_invite::not_possible());
    };
    act_on(&ctx, &auth, &request.room_id, MembershipAction::Invite, recipient.user_id, body).await?;
    Ok(invite_user::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/kick`
pub async fn kick_user(
    ctx: Ctx,
    auth: ClientAuth,
    request: WithBody<kick_user::Request>,
) -> Result<kick_user::Response, MatrixError> {
    let WithBody { request, body } = request;
    act_on(&ctx, &auth, &request.room_id, MembershipAction::Kick, request.user_id, body).await?;
    Ok(kick_user::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/ban`
pub async fn ban_user(
    ctx: Ctx,
    auth: ClientAuth,
    request: WithBody<ban_user::Request>,
) -> Result<ban_user::Response, MatrixError> {
    let WithBody { request, body } = request;
    act_on(&ctx, &auth, &request.room_id, MembershipAction::Ban, request.user_id, body).await?;
    Ok(ban_user::Response::new())
}

/// `POST /_matrix/client/v3/rooms/{roomId}/unban`
pub async fn unban_user(
    ctx: Ctx,
    auth: ClientAuth,
    request: WithBody<unban_user::Request>,
) -> Result<unban_user::Response, MatrixError> {
    let WithBody { request, body } = request;
    act_on(&ctx, &auth, &request.room_id, MembershipAction::Unban, request.user_id, body).await?;
    Ok(unban_user::Response::new())
}

/// Does something to another user's membership; of the body only the reason counts.
async fn act_on(
    ctx: &Ctx,
    auth: &ClientAuth,
    room_id: &RoomId,
    action: MembershipAction,
    target: OwnedUserId,
    mut body: serde_json::Map<String, serde_json::Value>,
) -> Result<(), MatrixError> {
    body.retain(|name, value| name == "reason" && value.is_string());
    let change = Change { target, content: body, ..Change::own(auth, action) };
    change_membership(ctx, auth, room_id, change).await?;
    Ok(())
}
