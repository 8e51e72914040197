//! Room state `[C-S §8.6]`.

mod member;

use ruma::api::client::state::{
    get_state_event_for_key::v3::{self as get_state_event_for_key, StateEventFormat},
    get_state_events::v3 as get_state_events,
    send_state_event::v3 as send_state_event,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::room::{GetState, GetStateEvent, SendState},
};
use serde_json::value::RawValue;

use self::member::send_member;
use super::canonical_alias;
use crate::{
    answer::Json,
    context::Ctx,
    extract::{GuestsToo, Sender},
};

/// `GET /_matrix/client/v3/rooms/{roomId}/state`
pub async fn get_state_events(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_state_events::Request,
) -> Result<Json, MatrixError> {
    ctx.call(&request.room_id, &GetState { user_id: auth.user_id }).await.map(Json::from)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
pub async fn get_state_event_for_key(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_state_event_for_key::Request,
) -> Result<Json, MatrixError> {
    let command = GetStateEvent {
        user_id: auth.user_id,
        event_type: request.event_type.to_string(),
        state_key: request.state_key,
        is_event_wanted: request.format == StateEventFormat::Event,
    };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`
pub async fn send_state_event(
    ctx: Ctx,
    Sender(auth): Sender,
    request: send_state_event::Request,
) -> Result<send_state_event::Response, MatrixError> {
    let event_type = request.event_type.to_string();
    let content = RawValue::from_string(request.body.json().get().to_owned())?;
    if event_type == "m.room.member" {
        let event_id = send_member(&ctx, &auth, &request.room_id, &request.state_key, &content).await?;
        return Ok(send_state_event::Response::new(event_id));
    }
    if event_type == "m.room.canonical_alias" && request.state_key.is_empty() {
        canonical_alias::check(&ctx, &auth, &request.room_id, &content).await?;
    }
    let command = SendState {
        sender: auth.user_id,
        event_type,
        state_key: request.state_key,
        content,
        timestamp: None,
    };
    Ok(send_state_event::Response::new(ctx.call(&request.room_id, &command).await?))
}
