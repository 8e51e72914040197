//! Other servers read events and state of rooms that they take part in `[S-S §9]`.

use ruma::{
    MilliSecondsSinceUnixEpoch, UInt,
    api::federation::{
        authorization::get_event_authorization::v1 as get_event_authorization,
        backfill::get_backfill::v1 as get_backfill,
        event::{
            get_event::v1 as get_event, get_event_by_timestamp::v1 as get_event_by_timestamp,
            get_missing_events::v1 as get_missing_events, get_room_state::v1 as get_room_state,
            get_room_state_ids::v1 as get_room_state_ids,
        },
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        remote_server::FindEvent,
        room::{
            ServeAuthChain, ServeBackfill, ServeEventByTimestamp, ServeMissingEvents, ServeState,
            ServeStateIds,
        },
    },
};

use crate::{context::Ctx, extract::FederationAuth};

fn now(ctx: &Ctx) -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(UInt::try_from(ctx.platform.now()).unwrap_or(UInt::MAX))
}

/// `GET /_matrix/federation/v1/backfill/{roomId}`
pub async fn get_backfill(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_backfill::Request,
) -> Result<get_backfill::Response, MatrixError> {
    let command = ServeBackfill { server: auth.origin, from: request.v, limit: request.limit.into() };
    let pdus = ctx.call(&request.room_id, &command).await?;
    Ok(get_backfill::Response::new(ctx.config.server_name.clone(), now(&ctx), pdus))
}

/// `POST /_matrix/federation/v1/get_missing_events/{roomId}`
pub async fn get_missing_events(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_missing_events::Request,
) -> Result<get_missing_events::Response, MatrixError> {
    let command = ServeMissingEvents {
        server: auth.origin,
        earliest: request.earliest_events,
        latest: request.latest_events,
        min_depth: request.min_depth.into(),
        limit: request.limit.into(),
    };
    Ok(get_missing_events::Response::new(ctx.call(&request.room_id, &command).await?))
}

/// `GET /_matrix/federation/v1/event/{eventId}`
pub async fn get_event(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_event::Request,
) -> Result<get_event::Response, MatrixError> {
    let event = ctx.call(&auth.origin, &FindEvent { event_id: request.event_id }).await?;
    let event = event.ok_or_else(|| MatrixError::not_found("There is no such event in a room of yours"))?;
    Ok(get_event::Response::new(ctx.config.server_name.clone(), now(&ctx), event))
}

/// `GET /_matrix/federation/v1/timestamp_to_event/{roomId}`
pub async fn get_event_by_timestamp(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_event_by_timestamp::Request,
) -> Result<get_event_by_timestamp::Response, MatrixError> {
    let command =
        ServeEventByTimestamp { server: auth.origin, timestamp: request.ts, direction: request.dir };
    let found = ctx.call(&request.room_id, &command).await?;
    let found = found.ok_or_else(|| MatrixError::not_found("There is no event in this direction"))?;
    Ok(get_event_by_timestamp::Response::new(found.event_id, found.origin_server_ts))
}

/// `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`
pub async fn get_event_authorization(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_event_authorization::Request,
) -> Result<get_event_authorization::Response, MatrixError> {
    let command = ServeAuthChain { server: auth.origin, event_id: request.event_id };
    Ok(get_event_authorization::Response::new(ctx.call(&request.room_id, &command).await?))
}

/// `GET /_matrix/federation/v1/state/{roomId}`
pub async fn get_room_state(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_room_state::Request,
) -> Result<get_room_state::Response, MatrixError> {
    let command = ServeState { server: auth.origin, event_id: request.event_id };
    let served = ctx.call(&request.room_id, &command).await?;
    Ok(get_room_state::Response::new(served.auth_chain, served.pdus))
}

/// `GET /_matrix/federation/v1/state_ids/{roomId}`
pub async fn get_room_state_ids(
    ctx: Ctx,
    auth: FederationAuth,
    request: get_room_state_ids::Request,
) -> Result<get_room_state_ids::Response, MatrixError> {
    let command = ServeStateIds { server: auth.origin, event_id: request.event_id };
    let served = ctx.call(&request.room_id, &command).await?;
    Ok(get_room_state_ids::Response::new(served.auth_chain_ids, served.pdu_ids))
}
