//! Account data `[C-S §11.10]` and tags `[C-S §11.18]`.

use ruma::{
    OwnedRoomId, UserId,
    api::{
        client::{
            config::{
                get_global_account_data::v3 as get_global_account_data,
                get_room_account_data::v3 as get_room_account_data,
                set_global_account_data::v3 as set_global_account_data,
                set_room_account_data::v3 as set_room_account_data,
            },
            tag::{create_tag::v3 as create_tag, delete_tag::v3 as delete_tag, get_tags::v3 as get_tags},
        },
        error::ErrorCode,
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{GetAccountData, SetAccountData, SetTag},
};
use serde_json::{Map, Value, json};

use crate::{
    answer::Json,
    context::Ctx,
    extract::ClientAuth,
    router::{Incoming, parse},
};

/// Types that the server manages: clients read them, and change them by other endpoints.
const SERVER_MANAGED: [&str; 2] = ["m.fully_read", "m.push_rules"];

/// A JSON object. `M_NOT_JSON`, `M_BAD_JSON`.
fn object(json: &[u8]) -> Result<Map<String, Value>, MatrixError> {
    match serde_json::from_slice(json) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(MatrixError::bad_json("The body is not an object")),
        Err(error) => Err(MatrixError::not_json(error.to_string())),
    }
}

/// Of the body as it came: ruma takes one that is missing for `{}`, by which what is kept would be lost.
async fn set(
    ctx: &Ctx,
    auth: &ClientAuth,
    user_id: &UserId,
    room_id: Option<OwnedRoomId>,
    kind: String,
    body: &[u8],
) -> Result<Json, MatrixError> {
    auth.check_is(user_id)?;
    if SERVER_MANAGED.contains(&kind.as_str()) {
        let text = format!("{kind} is not set by this endpoint");
        return Err(MatrixError::new(405, ErrorCode::BadJson, text));
    }
    let content = object(body)?;
    ctx.call(auth.localpart(), &SetAccountData { room_id, kind, content }).await?;
    Ok(Json("{}".to_owned()))
}

async fn get(
    ctx: &Ctx,
    auth: &ClientAuth,
    user_id: &UserId,
    room_id: Option<OwnedRoomId>,
    kind: String,
) -> Result<Json, MatrixError> {
    auth.check_is(user_id)?;
    let content = ctx.call(auth.localpart(), &GetAccountData { room_id, kind }).await?;
    Ok(Json(content.get().to_owned()))
}

/// `PUT /_matrix/client/v3/user/{userId}/account_data/{type}`
pub async fn set_global_account_data(
    ctx: Ctx,
    auth: ClientAuth,
    incoming: Incoming,
) -> Result<Json, MatrixError> {
    let request: set_global_account_data::Request = parse(&incoming)?;
    let kind = request.event_type.to_string();
    set(&ctx, &auth, &request.user_id, None, kind, incoming.request.body()).await
}

/// `GET /_matrix/client/v3/user/{userId}/account_data/{type}`
pub async fn get_global_account_data(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_global_account_data::Request,
) -> Result<Json, MatrixError> {
    get(&ctx, &auth, &request.user_id, None, request.event_type.to_string()).await
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
pub async fn set_room_account_data(
    ctx: Ctx,
    auth: ClientAuth,
    incoming: Incoming,
) -> Result<Json, MatrixError> {
    let request: set_room_account_data::Request = parse(&incoming)?;
    let (kind, room_id) = (request.event_type.to_string(), Some(request.room_id));
    set(&ctx, &auth, &request.user_id, room_id, kind, incoming.request.body()).await
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`
pub async fn get_room_account_data(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_room_account_data::Request,
) -> Result<Json, MatrixError> {
    get(&ctx, &auth, &request.user_id, Some(request.room_id), request.event_type.to_string()).await
}

/// `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`: what the client says of the tag is
/// kept as it is.
pub async fn create_tag(ctx: Ctx, auth: ClientAuth, incoming: Incoming) -> Result<Json, MatrixError> {
    let request: create_tag::Request = parse(&incoming)?;
    auth.check_is(&request.user_id)?;
    let info = object(incoming.request.body())?;
    let command = SetTag { room_id: request.room_id, tag: request.tag, info: Some(info) };
    ctx.call(auth.localpart(), &command).await?;
    Ok(Json("{}".to_owned()))
}

/// `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
pub async fn delete_tag(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_tag::Request,
) -> Result<delete_tag::Response, MatrixError> {
    auth.check_is(&request.user_id)?;
    ctx.call(auth.localpart(), &SetTag { room_id: request.room_id, tag: request.tag, info: None }).await?;
    Ok(delete_tag::Response::new())
}

/// `GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags`
pub async fn get_tags(ctx: Ctx, auth: ClientAuth, request: get_tags::Request) -> Result<Json, MatrixError> {
    auth.check_is(&request.user_id)?;
    let command = GetAccountData { room_id: Some(request.room_id), kind: "m.tag".to_owned() };
    let content = match ctx.call(auth.localpart(), &command).await {
        Err(error) if error.is(&ErrorCode::NotFound) => None,
        content => Some(content?),
    };
    let tags = content.and_then(|content| object(content.get().as_bytes()).ok()?.remove("tags"));
    let tags = tags.filter(Value::is_object).unwrap_or_else(|| json!({}));
    Ok(Json(json!({"tags": tags}).to_string()))
}
