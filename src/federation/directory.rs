//! Other servers look for rooms `[S-S §15, §16]`.

use ruma::{
    api::federation::{
        directory::{
            get_public_rooms::v1 as get_public_rooms,
            get_public_rooms_filtered::v1 as get_public_rooms_filtered,
        },
        query::get_room_information::v1 as get_room_information,
    },
    directory::{Filter, RoomNetwork},
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::directory::{ListPublishedRooms, PublishedRooms},
};

use crate::{client::room_alias::resolve, context::Ctx, extract::FederationAuth};

/// How many rooms a page has when the server does not say, and at most.
const PAGE: u32 = 100;

/// `GET /_matrix/federation/v1/query/directory`
pub async fn get_room_information(
    ctx: Ctx,
    _: FederationAuth,
    request: get_room_information::Request,
) -> Result<get_room_information::Response, MatrixError> {
    if request.room_alias.server_name() != ctx.server_name() {
        return Err(MatrixError::not_found("The alias is not of this server"));
    }
    let resolved = resolve(&ctx, &request.room_alias).await?;
    Ok(get_room_information::Response::new(resolved.room_id, resolved.servers))
}

/// `GET /_matrix/federation/v1/publicRooms`
pub async fn get_public_rooms(
    ctx: Ctx,
    _: FederationAuth,
    request: get_public_rooms::Request,
) -> Result<get_public_rooms::Response, MatrixError> {
    let page = list(&ctx, request.limit, request.since, Filter::new(), request.room_network).await?;
    let mut response = get_public_rooms::Response::new();
    response.chunk = page.chunk;
    response.next_batch = page.next_batch;
    response.prev_batch = page.prev_batch;
    response.total_room_count_estimate = page.total.try_into().ok();
    Ok(response)
}

/// `POST /_matrix/federation/v1/publicRooms`
pub async fn get_public_rooms_filtered(
    ctx: Ctx,
    _: FederationAuth,
    request: get_public_rooms_filtered::Request,
) -> Result<get_public_rooms_filtered::Response, MatrixError> {
    let page = list(&ctx, request.limit, request.since, request.filter, request.room_network).await?;
    let mut response = get_public_rooms_filtered::Response::new();
    response.chunk = page.chunk;
    response.next_batch = page.next_batch;
    response.prev_batch = page.prev_batch;
    response.total_room_count_estimate = page.total.try_into().ok();
    Ok(response)
}

async fn list(
    ctx: &Ctx,
    limit: Option<ruma::UInt>,
    since: Option<String>,
    filter: Filter,
    room_network: RoomNetwork,
) -> Result<PublishedRooms, MatrixError> {
    let limit = limit.map_or(PAGE, |limit| u32::try_from(u64::from(limit)).unwrap_or(PAGE).min(PAGE));
    ctx.call(&(), &ListPublishedRooms { limit, since, filter, room_network }).await
}
