//! The published room directory `[C-S §11.2.2]`.

use ruma::{
    OwnedServerName,
    api::client::{
        directory::{
            get_public_rooms::v3 as get_public_rooms,
            get_public_rooms_filtered::v3 as get_public_rooms_filtered,
            get_room_visibility::v3 as get_room_visibility, set_room_visibility::v3 as set_room_visibility,
        },
        room::Visibility,
    },
    directory::{Filter, RoomNetwork},
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::{IsRoomPublished, ListPublishedRooms, PublishRoom, PublishedRooms, UnpublishRoom},
        room::GetAliasRights,
    },
};

use serde_json::json;

use super::elsewhere;
use crate::{
    answer::Json,
    body::Completed,
    context::Ctx,
    extract::{ClientAuth, NoAuth},
};

/// How many rooms a page has when the client does not say.
const DEFAULT_PAGE: u32 = 100;

/// `GET /_matrix/client/v3/directory/list/room/{roomId}`
pub async fn get_room_visibility(
    ctx: Ctx,
    _: NoAuth,
    request: get_room_visibility::Request,
) -> Result<get_room_visibility::Response, MatrixError> {
    let room_id = request.room_id;
    if ctx.call(&(), &IsRoomPublished { room_id: room_id.clone() }).await? {
        return Ok(get_room_visibility::Response::new(Visibility::Public));
    }
    if !ctx.call(&room_id, &GetAliasRights { user_id: None }).await?.is_known {
        return Err(MatrixError::not_found("There is no such room"));
    }
    Ok(get_room_visibility::Response::new(Visibility::Private))
}

/// `PUT /_matrix/client/v3/directory/list/room/{roomId}`: for who may set the canonical alias, and administrators.
pub async fn set_room_visibility(
    ctx: Ctx,
    auth: ClientAuth,
    Completed(request): Completed<set_room_visibility::Request>,
) -> Result<set_room_visibility::Response, MatrixError> {
    let room_id = request.room_id;
    let rights = ctx.call(&room_id, &GetAliasRights { user_id: Some(auth.user_id.clone()) }).await?;
    if !rights.is_known {
        return Err(MatrixError::not_found("There is no such room"));
    }
    if !rights.may_set_canonical && !auth.is_admin {
        return Err(MatrixError::forbidden("You may not change the directory's entry of this room"));
    }
    let network = String::new();
    match request.visibility {
        Visibility::Public => ctx.call(&(), &PublishRoom { room_id, network }).await?,
        Visibility::Private => ctx.call(&(), &UnpublishRoom { room_id, network }).await?,
        _ => return Err(MatrixError::invalid_param("A room is public or private")),
    }
    Ok(set_room_visibility::Response::new())
}

/// `GET /_matrix/client/v3/publicRooms`
pub async fn get_public_rooms(
    ctx: Ctx,
    _: NoAuth,
    request: get_public_rooms::Request,
) -> Result<Json, MatrixError> {
    let query = query(request.limit, request.since, Filter::new(), RoomNetwork::Matrix);
    answer(list(&ctx, request.server, query).await?)
}

/// `POST /_matrix/client/v3/publicRooms`
pub async fn get_public_rooms_filtered(
    ctx: Ctx,
    _: ClientAuth,
    request: get_public_rooms_filtered::Request,
) -> Result<Json, MatrixError> {
    let query = query(request.limit, request.since, request.filter, request.room_network);
    answer(list(&ctx, request.server, query).await?)
}

/// A page as clients get it: with the join rule of every room, for some clients do not know that it may be left out.
fn answer(page: PublishedRooms) -> Result<Json, MatrixError> {
    let mut chunk = Vec::with_capacity(page.chunk.len());
    for room in page.chunk {
        let mut room = serde_json::to_value(room)?;
        if let Some(room) = room.as_object_mut() {
            room.entry("join_rule").or_insert_with(|| "public".into());
        }
        chunk.push(room);
    }
    let mut body = json!({"chunk": chunk, "total_room_count_estimate": page.total});
    for (name, token) in [("next_batch", page.next_batch), ("prev_batch", page.prev_batch)] {
        if let (Some(token), Some(body)) = (token, body.as_object_mut()) {
            body.insert(name.to_owned(), token.into());
        }
    }
    Ok(Json(body.to_string()))
}

fn query(
    limit: Option<ruma::UInt>,
    since: Option<String>,
    filter: Filter,
    room_network: RoomNetwork,
) -> ListPublishedRooms {
    let limit = limit.map_or(DEFAULT_PAGE, |limit| u32::try_from(u64::from(limit)).unwrap_or(u32::MAX));
    ListPublishedRooms { limit, since, filter, room_network }
}

async fn list(
    ctx: &Ctx,
    server: Option<OwnedServerName>,
    query: ListPublishedRooms,
) -> Result<PublishedRooms, MatrixError> {
    match server.filter(|server| server != ctx.server_name()) {
        Some(server) => elsewhere::list_published_rooms(ctx, &server, query).await,
        None => ctx.call(&(), &query).await,
    }
}
