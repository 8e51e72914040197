//! The queues to other servers, and what they wait for.

use http::Uri;
use ruma::{OwnedServerName, ServerName};
use selvedge_durable_objects::{
    concurrent::{ALL, try_each},
    matrix_error::MatrixError,
    rpc::{
        directory::{Destinations, ListDestinations},
        remote_server::{
            Destination, DestinationRooms, GetDestination, ListDestinationRooms, ResetConnection,
        },
    },
};
use serde_json::{Value, json};

use super::query;
use crate::{answer::Json, context::Ctx, extract::ServerAdmin, router::Incoming};

/// How many entries a page has, when the client does not say, and at most.
const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

/// `GET /_synapse/admin/v1/federation/destinations?from=&limit=&dir=&destination=`, by name.
pub async fn list(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let uri = incoming.request.uri();
    if query(uri, "order_by").is_some_and(|order| order != "destination") {
        return Err(MatrixError::invalid_param("Destinations are ordered by `destination` only"));
    }
    let Page { from, limit, is_backward } = page(uri)?;
    let containing = query(uri, "destination").unwrap_or_default();
    let command = ListDestinations { from, limit, is_backward, containing };
    let Destinations { servers, total } = ctx.call(&(), &command).await?;
    let described = try_each(ALL, &servers, |server| ctx.call(server, &GetDestination {})).await?;
    let described = servers.iter().zip(&described).map(|(server, described)| describe(server, described));
    let mut body = json!({ "destinations": described.collect::<Value>(), "total": total });
    add_next(&mut body, from, servers.len(), total);
    Ok(Json(body.to_string()))
}

/// `GET /_synapse/admin/v1/federation/destinations/{destination}`
pub async fn get(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let server = destination(&ctx, &incoming).await?;
    let described = ctx.call(&server, &GetDestination {}).await?;
    Ok(Json(describe(&server, &described).to_string()))
}

/// `GET /_synapse/admin/v1/federation/destinations/{destination}/rooms?from=&limit=&dir=`
///
/// `stream_ordering` is the position in the room's own log up to which the server has everything.
pub async fn rooms(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let server = destination(&ctx, &incoming).await?;
    let Page { from, limit, is_backward } = page(incoming.request.uri())?;
    let command = ListDestinationRooms { from, limit, is_backward };
    let DestinationRooms { rooms, total } = ctx.call(&server, &command).await?;
    let count = rooms.len();
    let rooms = rooms.into_iter();
    let rooms: Vec<_> =
        rooms.map(|(room_id, sent)| json!({ "room_id": room_id, "stream_ordering": sent })).collect();
    let mut body = json!({ "rooms": rooms, "total": total });
    add_next(&mut body, from, count, total);
    Ok(Json(body.to_string()))
}

/// `POST /_synapse/admin/v1/federation/destinations/{destination}/reset_connection`
pub async fn reset_connection(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let server = destination(&ctx, &incoming).await?;
    ctx.call(&server, &ResetConnection {}).await?;
    Ok(Json("{}".to_owned()))
}

/// No stream goes over all rooms, and so there is no `last_successful_stream_ordering`.
fn describe(server: &ServerName, destination: &Destination) -> Value {
    json!({
        "destination": server,
        "retry_last_ts": destination.retry_last_ts,
        "retry_interval": destination.retry_interval,
        "failure_ts": destination.failure_ts,
        "last_successful_stream_ordering": null,
    })
}

/// The server that the path names. `M_NOT_FOUND` for one that nothing was ever sent to.
async fn destination(ctx: &Ctx, incoming: &Incoming) -> Result<OwnedServerName, MatrixError> {
    let unknown = || MatrixError::not_found("Nothing was ever sent to this destination");
    let name = incoming.path_args.first().ok_or_else(unknown)?;
    let server = OwnedServerName::try_from(name.as_str()).map_err(|_| unknown())?;
    let containing = server.to_string();
    let command = ListDestinations { from: 0, limit: MAX_PAGE, is_backward: false, containing };
    let known = ctx.call(&(), &command).await?;
    if known.servers.contains(&server) { Ok(server) } else { Err(unknown()) }
}

struct Page {
    from: u32,
    limit: u32,
    is_backward: bool,
}

fn page(uri: &Uri) -> Result<Page, MatrixError> {
    let number = |name: &str, otherwise: u32| match query(uri, name) {
        None => Ok(otherwise),
        Some(text) => text
            .parse::<u32>()
            .map_err(|_| MatrixError::invalid_param(format!("`{name}` is not a number that can be"))),
    };
    let is_backward = match query(uri, "dir").as_deref() {
        None | Some("f") => false,
        Some("b") => true,
        Some(_) => return Err(MatrixError::invalid_param("`dir` is `f` or `b`")),
    };
    let limit = number("limit", DEFAULT_PAGE)?.clamp(1, MAX_PAGE);
    Ok(Page { from: number("from", 0)?, limit, is_backward })
}

fn add_next(body: &mut Value, from: u32, count: usize, total: u64) {
    let end = u64::from(from).saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    if end < total
        && count > 0
        && let Some(body) = body.as_object_mut()
    {
        body.insert("next_token".to_owned(), end.to_string().into());
    }
}
