//! Profiles `[C-S §9.2]`.

use ruma::{
    UserId,
    api::{
        client::profile::{delete_profile_field::v3 as delete_profile_field, get_profile::v3 as get_profile},
        error::ErrorCode,
        federation::query::get_profile_information::v1 as get_profile_information,
    },
    profile::ProfileFieldName,
};
use selvedge_durable_objects::{
    federation::{self, Bounds, FederationError},
    matrix_error::MatrixError,
    rpc::user::{GetProfile, SetProfileField},
};
use serde_json::{Map, Value, json};

use crate::{
    answer::Json,
    context::Ctx,
    extract::{ClientAuth, GuestsToo, NoAuth},
    router::Incoming,
};

/// How long another server may take for a profile, in milliseconds, and how large it may be, in bytes.
const BOUNDS: Bounds = Bounds { timeout_ms: 10_000, max_bytes: 128 * 1024 };

/// The profile of a user, of this server or another: of another's, `field` alone if one is given.
/// `M_NOT_FOUND` when there is no such user.
pub async fn profile_of(
    ctx: &Ctx,
    user_id: &UserId,
    field: Option<&str>,
) -> Result<Map<String, Value>, MatrixError> {
    let unknown = || MatrixError::not_found("Profile not found");
    if user_id.server_name() == ctx.server_name() {
        return match ctx.call(user_id.localpart(), &GetProfile {}).await {
            Err(error) if error.is(&ErrorCode::NotFound) => Err(unknown()),
            profile => profile,
        };
    }
    let mut request = get_profile_information::Request::new(user_id.to_owned());
    request.field = field.map(ProfileFieldName::from);
    let platform = ctx.platform.as_ref();
    match federation::send(platform, user_id.server_name(), request, BOUNDS).await {
        Ok(response) => Ok(response.data.into_iter().collect()),
        Err(FederationError::Refused(error)) if error.status == 404 => Err(unknown()),
        // The specification's answer for a user of whom there is no profile.
        Err(FederationError::Unreachable { .. }) => {
            Err(MatrixError::not_found("Profile not found: the user's server cannot be reached"))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /_matrix/client/v3/profile/{userId}`
pub async fn get_profile(ctx: Ctx, _: NoAuth, request: get_profile::Request) -> Result<Json, MatrixError> {
    let profile = profile_of(&ctx, &request.user_id, None).await?;
    Ok(Json(Value::Object(profile).to_string()))
}

/// The user and the field that a path names.
fn user_and_field(incoming: &Incoming) -> Result<(&UserId, &str), MatrixError> {
    let [user_id, field] = incoming.path_args.as_slice() else {
        return Err(MatrixError::missing_param("The path names a user and a field"));
    };
    let user_id = <&UserId>::try_from(user_id.as_str())
        .map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    Ok((user_id, field))
}

/// `GET /_matrix/client/v3/profile/{userId}/{keyName}`
pub async fn get_profile_field(ctx: Ctx, _: NoAuth, incoming: Incoming) -> Result<Json, MatrixError> {
    let (user_id, field) = user_and_field(&incoming)?;
    let value = profile_of(&ctx, user_id, Some(field)).await?.remove(field);
    let value = value.ok_or_else(|| MatrixError::not_found("This user's profile has no such field"))?;
    Ok(Json(json!({field: value}).to_string()))
}

/// `PUT /_matrix/client/v3/profile/{userId}/{keyName}`
pub async fn set_profile_field(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    incoming: Incoming,
) -> Result<Json, MatrixError> {
    let (user_id, field) = user_and_field(&incoming)?;
    let body: Value = serde_json::from_slice(incoming.request.body())
        .map_err(|error| MatrixError::not_json(error.to_string()))?;
    let Value::Object(mut body) = body else {
        return Err(MatrixError::bad_json("The body is not an object"));
    };
    let value =
        body.remove(field).ok_or_else(|| MatrixError::missing_param(format!("{field} is missing")))?;
    if value.is_null() {
        return Err(MatrixError::bad_json("A profile field is not null"));
    }
    change(&ctx, &auth, user_id, field, Some(value)).await?;
    Ok(Json("{}".to_owned()))
}

/// `DELETE /_matrix/client/v3/profile/{userId}/{keyName}`
pub async fn delete_profile_field(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: delete_profile_field::Request,
) -> Result<delete_profile_field::Response, MatrixError> {
    change(&ctx, &auth, &request.user_id, request.field.as_str(), None).await?;
    Ok(delete_profile_field::Response::new())
}

async fn change(
    ctx: &Ctx,
    auth: &ClientAuth,
    user_id: &UserId,
    field: &str,
    value: Option<Value>,
) -> Result<(), MatrixError> {
    auth.check_is(user_id)?;
    auth.check_not_suspended()?;
    if auth.is_guest && field != "displayname" {
        let text = "Guests may change their display name only";
        return Err(MatrixError::new(403, ErrorCode::GuestAccessForbidden, text));
    }
    ctx.call(auth.localpart(), &SetProfileField { name: field.to_owned(), value }).await?;
    Ok(())
}
