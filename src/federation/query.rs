//! Profiles for other servers `[S-S §15]`.

use ruma::api::{
    error::ErrorCode, federation::query::get_profile_information::v1 as get_profile_information,
};
use selvedge_durable_objects::{matrix_error::MatrixError, rpc::user::GetProfile};
use serde_json::Value;

use crate::{answer::Json, context::Ctx, extract::FederationAuth};

/// `GET /_matrix/federation/v1/query/profile`
pub async fn get_profile_information(
    ctx: Ctx,
    _: FederationAuth,
    request: get_profile_information::Request,
) -> Result<Json, MatrixError> {
    if request.user_id.server_name() != ctx.server_name() {
        return Err(MatrixError::invalid_param("This is not a user of this server"));
    }
    let mut profile = match ctx.call(request.user_id.localpart(), &GetProfile {}).await {
        Err(error) if error.is(&ErrorCode::NotFound) => return Err(MatrixError::not_found("No such user")),
        profile => profile?,
    };
    if let Some(field) = &request.field {
        profile.retain(|name, _| name == field.as_str());
    }
    Ok(Json(Value::Object(profile).to_string()))
}
