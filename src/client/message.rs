//! Sending and reading a room's timeline `[C-S §8.6, §8.7]`.

use ruma::api::client::{
    context::get_context::v3 as get_context,
    message::{get_message_events::v3 as get_message_events, send_message_event::v3 as send_message_event},
    redact::redact_event::v3 as redact_event,
    room::{get_event_by_timestamp::v1 as get_event_by_timestamp, get_room_event::v3 as get_room_event},
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::room::{
        DatedEvent, FindEventByTimestamp, GetContext, GetEvent, GetMessages, RedactEvent, SendMessage,
        TimelineFilter,
    },
};
use serde_json::value::RawValue;

use super::reading::open;
use crate::{
    answer::Json,
    body::{Paged, WithQuery},
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

/// `GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}`
pub async fn get_room_event(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_room_event::Request,
) -> Result<Json, MatrixError> {
    let (reader, []) = open(&ctx, auth, &request.room_id, []).await?;
    let command = GetEvent { reader, event_id: request.event_id };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v3/rooms/{roomId}/messages`
pub async fn get_message_events(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    Paged(request): Paged<get_message_events::Request>,
) -> Result<Json, MatrixError> {
    let filter = timeline_filter(&request)?;
    let request = request.request;
    let (reader, [from, to]) = open(&ctx, auth, &request.room_id, [request.from, request.to]).await?;
    let command =
        GetMessages { reader, from, to, direction: request.dir, limit: bounded(request.limit), filter };
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
    let (reader, []) = open(&ctx, auth, &request.room_id, []).await?;
    let command = GetContext { reader, event_id: request.event_id, limit: bounded(request.limit), filter };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`
pub async fn get_event_by_timestamp(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_event_by_timestamp::Request,
) -> Result<get_event_by_timestamp::Response, MatrixError> {
    let command =
        FindEventByTimestamp { user_id: auth.user_id, timestamp: request.ts, direction: request.dir };
    let found: Option<DatedEvent> = ctx.call(&request.room_id, &command).await?;
    let found = found.ok_or_else(|| MatrixError::not_found("There is no event in this direction"))?;
    Ok(get_event_by_timestamp::Response::new(found.event_id, found.origin_server_ts))
}
