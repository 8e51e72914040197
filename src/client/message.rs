//! Sending and reading a room's timeline `[C-S §8.6, §8.7]`.

use ruma::api::client::{
    context::get_context::v3 as get_context,
    message::{get_message_events::v3 as get_message_events, send_message_event::v3 as send_message_event},
    redact::redact_event::v3 as redact_event,
    room::get_room_event::v3 as get_room_event,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::room::{GetContext, GetEvent, GetMessages, Reader, RedactEvent, SendMessage, TimelineFilter},
};
use serde_json::value::RawValue;

use crate::{
    answer::Json,
    body::WithQuery,
    context::Ctx,
    extract::{ClientAuth, GuestsToo, Sender},
};

/// The most events in one answer.
pub const MAX_EVENTS: u32 = 1000;

/// A limit that a client gave, within bounds.
pub fn bounded(limit: ruma::UInt) -> u32 {
    u32::try_from(u64::from(limit)).unwrap_or(u32::MAX).min(MAX_EVENTS)
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}`
pub async fn send_message_event(
    ctx: Ctx,
    Sender(auth): Sender,
    request: send_message_event::Request,
) -> Result<send_message_event::Response, MatrixError> {
    let command = SendMessage {
        sender: auth.user_id,
        device_id: auth.device_id,
        txn_id: request.txn_id.to_string(),
        event_type: request.event_type.to_string(),
        content: RawValue::from_string(request.body.json().get().to_owned())?,
        timestamp: None,
    };
    Ok(send_message_event::Response::new(ctx.call(&request.room_id, &command).await?))
}

/// `PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}`
pub async fn redact_event(
    ctx: Ctx,
    auth: ClientAuth,
    request: redact_event::Request,
) -> Result<redact_event::Response, MatrixError> {
    let command = RedactEvent {
        sender: auth.user_id,
        device_id: auth.device_id,
        txn_id: request.txn_id.to_string(),
        event_id: request.event_id,
        reason: request.reason,
        is_suspended: auth.is_suspended,
    };
    Ok(redact_event::Response::new(ctx.call(&request.room_id, &command).await?))
}

/// The filter in a query.
fn timeline_filter<R>(request: &WithQuery<R>) -> Result<TimelineFilter, MatrixError> {
    let filter = request.parameter("filter").filter(|filter| !filter.is_empty());
    filter.map_or_else(
        || Ok(TimelineFilter::default()),
        |filter| {
            serde_json::from_str(filter)
                .map_err(|error| MatrixError::invalid_param(format!("Not a filter: {error}")))
        },
    )
}

/// Who reads.
pub fn reader(auth: ClientAuth) -> Reader {
    Reader { user_id: auth.user_id, device_id: auth.device_id, ignored_users: Vec::new() }
}

/// `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`
pub async fn get_room_event(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_room_event::Request,
) -> Result<Json, MatrixError> {
    let command = GetEvent { reader: reader(auth), event_id: request.event_id };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/messages`
pub async fn get_message_events(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: WithQuery<get_message_events::Request>,
) -> Result<Json, MatrixError> {
    let filter = timeline_filter(&request)?;
    let request = request.request;
    let command = GetMessages {
        reader: reader(auth),
        from: request.from,
        to: request.to,
        direction: request.dir,
        limit: bounded(request.limit),
        filter,
    };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}`
pub async fn get_context(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: WithQuery<get_context::Request>,
) -> Result<Json, MatrixError> {
    let filter = timeline_filter(&request)?;
    let request = request.request;
    let command = GetContext {
        reader: reader(auth),
        event_id: request.event_id,
        limit: bounded(request.limit),
        filter,
    };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}
