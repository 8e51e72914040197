//! Account management `[C-S §5.7.4]` and contact information `[C-S §5.7.6]`, which administrators of this
//! server enter.

use ruma::api::{
    client::account::{
        ThirdPartyIdRemovalStatus, change_password::v3 as change_password, deactivate::v3 as deactivate,
        delete_3pid::v3 as delete_3pid, get_3pids::v3 as get_3pids,
        request_openid_token::v3 as request_openid_token, unbind_3pid::v3 as unbind_3pid,
    },
    error::ErrorCode,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::{KeptThirdPartyId, ListThirdPartyIds, SetThirdPartyIds, ThirdPartyId},
        user::{ChangePassword, DeactivateAccount, IssueOpenIdToken},
    },
};

use crate::{
    answer::Json,
    context::Ctx,
    extract::{ClientAuth, NoAuth},
    uiaa::prove_password,
};

/// `POST /_matrix/client/v3/account/password`
pub async fn change_password(
    ctx: Ctx,
    auth: ClientAuth,
    request: change_password::Request,
) -> Result<change_password::Response, MatrixError> {
    prove_password(&ctx, &auth, "change_password", request.auth.as_ref()).await?;
    let command = ChangePassword {
        new_password: request.new_password,
        log_out: request.logout_devices,
        keep: Some(auth.device_id.clone()),
    };
    ctx.call(auth.localpart(), &command).await?;
    Ok(change_password::Response::new())
}

/// `POST /_matrix/client/v3/account/deactivate`
pub async fn deactivate(
    ctx: Ctx,
    auth: ClientAuth,
    request: deactivate::Request,
) -> Result<deactivate::Response, MatrixError> {
    prove_password(&ctx, &auth, "deactivate", request.auth.as_ref()).await?;
    ctx.call(auth.localpart(), &DeactivateAccount { erase: request.erase }).await?;
    ctx.call(&(), &SetThirdPartyIds { user_id: auth.user_id, ids: Vec::new() }).await?;
    Ok(deactivate::Response::new(ThirdPartyIdRemovalStatus::Success))
}

/// `GET /_matrix/client/v3/account/3pid`
pub async fn get_3pids(ctx: Ctx, auth: ClientAuth, _: get_3pids::Request) -> Result<Json, MatrixError> {
    let ids = ctx.call(&(), &ListThirdPartyIds { user_id: auth.user_id }).await?;
    Ok(Json::object(|answer| answer.array("threepids", ids.iter().map(third_party_id))))
}

/// An address as its user sees it.
pub fn third_party_id(kept: &KeptThirdPartyId) -> String {
    let added_at = kept.added_ts.to_string();
    let id = Json::object(|id| {
        id.string("medium", &kept.id.medium);
        id.string("address", &kept.id.address);
        id.member("added_at", &added_at);
        id.member("validated_at", &added_at);
    });
    id.0
}

/// `POST /_matrix/client/v3/account/3pid/delete`: not for an address that administrators hold.
pub async fn delete_3pid(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_3pid::Request,
) -> Result<delete_3pid::Response, MatrixError> {
    let id = ThirdPartyId::new(request.medium.as_str(), &request.address);
    let ids = ctx.call(&(), &ListThirdPartyIds { user_id: auth.user_id }).await?;
    if ids.into_iter().any(|kept| Some(kept.id) == id) {
        return Err(MatrixError::forbidden("Only an administrator of this server can remove this address"));
    }
    Ok(delete_3pid::Response::new(ThirdPartyIdRemovalStatus::Success))
}

/// `POST /_matrix/client/v3/account/3pid/unbind`: none was bound at an identity server.
pub async fn unbind_3pid(
    _: Ctx,
    _: ClientAuth,
    _: unbind_3pid::Request,
) -> Result<unbind_3pid::Response, MatrixError> {
    Ok(unbind_3pid::Response::new(ThirdPartyIdRemovalStatus::Success))
}

/// `POST /_matrix/client/v3/account/3pid` and `.../add` and `.../bind`: none can have been validated.
pub async fn add_contact<R>(_: Ctx, _: ClientAuth, _: R) -> Result<Json, MatrixError> {
    let text =
        "This address was not validated: this server validates no e-mail addresses or telephone numbers";
    Err(MatrixError::new(403, ErrorCode::ThreepidAuthFailed, text))
}

/// `POST .../email/requestToken` and `.../msisdn/requestToken`, for registration and for contacts.
pub async fn validate_contact<R>(_: Ctx, _: NoAuth, _: R) -> Result<Json, MatrixError> {
    let text = "This server validates no e-mail addresses or telephone numbers";
    Err(MatrixError::new(400, ErrorCode::ThreepidMediumNotSupported, text))
}

/// `POST /_matrix/client/v3/account/password/{email,msisdn}/requestToken`: nobody is known by one.
pub async fn validate_for_password<R>(_: Ctx, _: NoAuth, _: R) -> Result<Json, MatrixError> {
    Err(MatrixError::new(400, ErrorCode::ThreepidNotFound, "No account has this address"))
}

/// `POST /_matrix/client/v3/user/{userId}/openid/request_token`
pub async fn request_openid_token(
    ctx: Ctx,
    auth: ClientAuth,
    request: request_openid_token::Request,
) -> Result<Json, MatrixError> {
    auth.check_is(&request.user_id)?;
    let issued = ctx.call(auth.localpart(), &IssueOpenIdToken {}).await?;
    Ok(Json::object(|answer| {
        answer.string("access_token", &issued.token);
        answer.string("token_type", "Bearer");
        answer.string("matrix_server_name", ctx.server_name().as_str());
        // In seconds.
        answer.member("expires_in", &issued.expires_in_ms.div_euclid(1000).to_string());
    }))
}
