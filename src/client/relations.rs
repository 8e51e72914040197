//! What relates to an event `[C-S §8.6.4]`, and threads `[C-S §11.29]`.

use ruma::{
    UInt,
    api::client::{
        relations::{
            get_relating_events::v1 as get_relating_events,
            get_relating_events_with_rel_type::v1 as get_relating_events_with_rel_type,
            get_relating_events_with_rel_type_and_event_type::v1 as get_relating_events_with_rel_type_and_event_type,
        },
        threads::get_threads::v1::{self as get_threads, IncludeThreads},
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::room::{GetRelations, GetThreads},
};

use super::reading::open;
use crate::{answer::Json, context::Ctx, extract::ClientAuth};

/// How many events are on a page when the client does not say.
const DEFAULT_LIMIT: u32 = 20;
/// How many at most.
const MAX_LIMIT: u32 = 100;

fn bounded(limit: Option<UInt>) -> u32 {
    limit.map_or(DEFAULT_LIMIT, |limit| u32::try_from(u64::from(limit)).unwrap_or(u32::MAX)).min(MAX_LIMIT)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`
pub async fn get_relating_events(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_relating_events::Request,
) -> Result<Json, MatrixError> {
    let (reader, [from, to]) = open(&ctx, auth, &request.room_id, [request.from, request.to]).await?;
    let command = GetRelations {
        reader,
        event_id: request.event_id,
        rel_type: None,
        event_type: None,
        from,
        to,
        direction: request.dir,
        limit: bounded(request.limit),
        recurse: request.recurse,
    };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}`
pub async fn get_relating_events_with_rel_type(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_relating_events_with_rel_type::Request,
) -> Result<Json, MatrixError> {
    let (reader, [from, to]) = open(&ctx, auth, &request.room_id, [request.from, request.to]).await?;
    let command = GetRelations {
        reader,
        event_id: request.event_id,
        rel_type: Some(request.rel_type.to_string()),
        event_type: None,
        from,
        to,
        direction: request.dir,
        limit: bounded(request.limit),
        recurse: request.recurse,
    };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}`
pub async fn get_relating_events_with_rel_type_and_event_type(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_relating_events_with_rel_type_and_event_type::Request,
) -> Result<Json, MatrixError> {
    let (reader, [from, to]) = open(&ctx, auth, &request.room_id, [request.from, request.to]).await?;
    let command = GetRelations {
        reader,
        event_id: request.event_id,
        rel_type: Some(request.rel_type.to_string()),
        event_type: Some(request.event_type.to_string()),
        from,
        to,
        direction: request.dir,
        limit: bounded(request.limit),
        recurse: request.recurse,
    };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}

/// `GET /_matrix/client/v1/rooms/{roomId}/threads`
pub async fn get_threads(
    ctx: Ctx,
    auth: ClientAuth,
    request: get_threads::Request,
) -> Result<Json, MatrixError> {
    let (reader, [from]) = open(&ctx, auth, &request.room_id, [request.from]).await?;
    let participated = match request.include {
        IncludeThreads::All => false,
        IncludeThreads::Participated => true,
        _ => return Err(MatrixError::invalid_param("`include` is all or participated")),
    };
    if request.limit == Some(UInt::MIN) {
        return Err(MatrixError::invalid_param("`limit` is greater than zero"));
    }
    let command = GetThreads { reader, participated, from, limit: bounded(request.limit) };
    ctx.call(&request.room_id, &command).await.map(Json::from)
}
