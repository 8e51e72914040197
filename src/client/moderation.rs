//! Server administration by clients: locking, suspending, and looking a user up `[C-S §5.6, §11.20]`.

use ruma::{
    UserId,
    api::client::admin::{
        get_user_info::v3 as get_user_info, is_user_locked::v1 as is_user_locked,
        is_user_suspended::v1 as is_user_suspended, lock_user::v1 as lock_user,
        suspend_user::v1 as suspend_user,
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{Device, GetModeration, ListDevices, Moderate},
};
use selvedge_protocol::json::ObjectWriter;

use crate::{
    answer::Json,
    context::Ctx,
    extract::{ClientAuth, ServerAdmin},
};

/// The localpart of a user of this server. `M_INVALID_PARAM` for another's.
fn local<'a>(ctx: &Ctx, user_id: &'a UserId) -> Result<&'a str, MatrixError> {
    if user_id.server_name() == ctx.server_name() {
        return Ok(user_id.localpart());
    }
    Err(MatrixError::invalid_param("This is not a user of this server"))
}

/// `GET /_matrix/client/v1/admin/lock/{userId}`
pub async fn is_user_locked(
    ctx: Ctx,
    _: ServerAdmin,
    request: is_user_locked::Request,
) -> Result<is_user_locked::Response, MatrixError> {
    let state = ctx.call(local(&ctx, &request.user_id)?, &GetModeration {}).await?;
    Ok(is_user_locked::Response::new(state.is_locked))
}

/// `PUT /_matrix/client/v1/admin/lock/{userId}`
pub async fn lock_user(
    ctx: Ctx,
    _: ServerAdmin,
    request: lock_user::Request,
) -> Result<lock_user::Response, MatrixError> {
    let command = Moderate { lock: Some(request.locked), suspend: None };
    let state = ctx.call(local(&ctx, &request.user_id)?, &command).await?;
    Ok(lock_user::Response::new(state.is_locked))
}

/// `GET /_matrix/client/v1/admin/suspend/{userId}`
pub async fn is_user_suspended(
    ctx: Ctx,
    _: ServerAdmin,
    request: is_user_suspended::Request,
) -> Result<is_user_suspended::Response, MatrixError> {
    let state = ctx.call(local(&ctx, &request.user_id)?, &GetModeration {}).await?;
    Ok(is_user_suspended::Response::new(state.is_suspended))
}

/// `PUT /_matrix/client/v1/admin/suspend/{userId}`
pub async fn suspend_user(
    ctx: Ctx,
    _: ServerAdmin,
    request: suspend_user::Request,
) -> Result<suspend_user::Response, MatrixError> {
    let command = Moderate { lock: None, suspend: Some(request.suspended) };
    let state = ctx.call(local(&ctx, &request.user_id)?, &command).await?;
    Ok(suspend_user::Response::new(state.is_suspended))
}

/// `GET /_matrix/client/v3/admin/whois/{userId}`: for the user and for administrators.
pub async fn get_user_info(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_user_info::Request,
) -> Result<Json, MatrixError> {
    if !auth.is_admin {
        auth.check_is(&request.user_id)?;
    }
    let devices = ctx.call(local(&ctx, &request.user_id)?, &ListDevices {}).await?;
    let mut infos = ObjectWriter::new();
    for device in &devices {
        infos.named(device.device_id.as_str(), &info(device).0);
    }
    let infos = infos.finish();
    Ok(Json::object(|answer| {
        answer.string("user_id", request.user_id.as_str());
        if !devices.is_empty() {
            answer.member("devices", &infos);
        }
    }))
}

fn info(device: &Device) -> Json {
    let connection = Json::object(|connection| {
        connection.string("ip", &device.last_seen_ip);
        connection.member("last_seen", &device.last_seen_ts.to_string());
        connection.string("user_agent", &device.last_user_agent);
    });
    let session = Json::object(|session| session.array("connections", [connection.0]));
    Json::object(|info| info.array("sessions", [session.0]))
}
