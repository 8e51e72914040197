//! Presence `[C-S §11.8]`.

use ruma::api::client::presence::{get_presence::v3 as get_presence, set_presence::v3 as set_presence};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{GetPresence, GetSeenPresence, JoinedRooms, Presence, SetPresence},
};

use crate::{answer::Json, context::Ctx, extract::ClientAuth};

/// `PUT /_matrix/client/v3/presence/{userId}/status`
pub async fn set_presence(
    ctx: Ctx,
    auth: ClientAuth,
    request: set_presence::Request,
) -> Result<set_presence::Response, MatrixError> {
    auth.check_is(&request.user_id)?;
    let command = SetPresence { state: request.presence, status_msg: request.status_msg };
    ctx.call(auth.localpart(), &command).await?;
    Ok(set_presence::Response::new())
}

/// `GET /_matrix/client/v3/presence/{userId}/status`: for who shares a room with the user. How users of other
/// servers appear is not kept, but told to clients as it comes: of these it is what was told last.
pub async fn get_presence(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_presence::Request,
) -> Result<Json, MatrixError> {
    if request.user_id.server_name() != ctx.server_name() {
        let command = GetSeenPresence { user_id: request.user_id };
        let seen = ctx.call(auth.localpart(), &command).await?;
        let unknown = || MatrixError::not_found("The presence of this user is not known here");
        return Ok(answer(&seen.ok_or_else(unknown)?));
    }
    let rooms = if request.user_id == auth.user_id {
        None
    } else {
        Some(ctx.call(auth.localpart(), &JoinedRooms {}).await?)
    };
    let presence = match ctx.call(request.user_id.localpart(), &GetPresence { rooms }).await {
        // Whether there is such a user is nobody's business with whom they share no room.
        Err(error) if error.status == 404 => {
            return Err(MatrixError::forbidden("You share no room with this user"));
        }
        presence => presence?,
    };
    Ok(answer(&presence))
}

fn answer(presence: &Presence) -> Json {
    Json::object(|answer| {
        answer.string("presence", presence.presence.as_str());
        if let Some(status) = &presence.status_msg {
            answer.string("status_msg", status);
        }
        answer.member("currently_active", &presence.currently_active.to_string());
        answer.member("last_active_ago", &presence.last_active_ago.to_string());
    })
}
