//! Who is in which room.

use ruma::api::client::membership::{
    get_member_events::v3 as get_member_events, joined_members::v3 as joined_members,
    joined_rooms::v3 as joined_rooms,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        room::{GetJoinedMembers, GetMembers},
        sync_token::SyncToken,
        user::JoinedRooms,
    },
};

use crate::{
    answer::Json,
    context::Ctx,
    extract::{ClientAuth, GuestsToo},
};

/// `GET /_matrix/client/v3/joined_rooms`
pub async fn joined_rooms(
    ctx: Ctx,
    auth: ClientAuth,
    _: joined_rooms::Request,
) -> Result<joined_rooms::Response, MatrixError> {
    Ok(joined_rooms::Response::new(ctx.call(auth.localpart(), &JoinedRooms {}).await?))
}

/// `GET /_matrix/client/v3/rooms/{roomId}/members`
pub async fn get_member_events(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_member_events::Request,
) -> Result<Json, MatrixError> {
    // Clients also hand in the token of a sync: what follows it they learn by syncing on, so that now is as good.
    let at = request.at.filter(|at| SyncToken::decode(at).is_none());
    let command = GetMembers {
        user_id: auth.user_id,
        at,
        membership: request.membership.map(|membership| membership.to_string()),
        not_membership: request.not_membership.map(|membership| membership.to_string()),
    };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/joined_members`
pub async fn joined_members(
    ctx: Ctx,
    auth: ClientAuth,
    request: joined_members::Request,
) -> Result<Json, MatrixError> {
    ctx.call(&request.room_id, &GetJoinedMembers { user_id: auth.user_id }).await.map(Json::from)
}
