//! Registration tokens.

use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::directory::{
        CreateRegistrationToken, DeleteRegistrationToken, GetRegistrationToken, ListRegistrationTokens,
        TokenChange, UpdateRegistrationToken,
    },
};
use serde_json::json;

use super::{body, query};
use crate::{answer::Json, context::Ctx, extract::ServerAdmin, router::Incoming};

/// `GET /_synapse/admin/v1/registration_tokens?valid=`
pub async fn list(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let valid = match query(incoming.request.uri(), "valid").as_deref() {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(MatrixError::invalid_param("valid is true or false")),
    };
    let tokens = ctx.call(&(), &ListRegistrationTokens { valid }).await?;
    Ok(Json(json!({"registration_tokens": tokens}).to_string()))
}

/// `POST /_synapse/admin/v1/registration_tokens/new`
pub async fn create(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let command: CreateRegistrationToken = body(&incoming)?;
    if command.expiry_time.is_some_and(|expiry| expiry <= ctx.platform.now()) {
        return Err(MatrixError::invalid_param("expiry_time is in the past"));
    }
    answer(&ctx.call(&(), &command).await?)
}

/// `GET /_synapse/admin/v1/registration_tokens/{token}`
pub async fn get(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    answer(&ctx.call(&(), &GetRegistrationToken { token: token(incoming)? }).await?)
}

/// `PUT /_synapse/admin/v1/registration_tokens/{token}`
pub async fn update(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let change: TokenChange = body(&incoming)?;
    answer(&ctx.call(&(), &UpdateRegistrationToken { token: token(incoming)?, change }).await?)
}

/// `DELETE /_synapse/admin/v1/registration_tokens/{token}`
pub async fn delete(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    ctx.call(&(), &DeleteRegistrationToken { token: token(incoming)? }).await?;
    Ok(Json("{}".to_owned()))
}

fn answer(token: &impl serde::Serialize) -> Result<Json, MatrixError> {
    Ok(Json(serde_json::to_string(token)?))
}

fn token(incoming: Incoming) -> Result<String, MatrixError> {
    incoming.path_args.into_iter().next().ok_or_else(|| MatrixError::missing_param("token is missing"))
}
