//! A picture of a room's DAG: whose events follow whose, where it ends, and which events were refused and why.

use ruma::RoomId;
use selvedge_durable_objects::{matrix_error::MatrixError, rpc::room::GetDag};

use super::{arguments, number};
use crate::{
    answer::{Json, Text},
    context::Ctx,
    extract::{NoAuth, ServerAdmin},
    router::Incoming,
};

/// How many events a part has when the client does not say.
const DEFAULT_LIMIT: u32 = 200;

/// `GET /_selvedge/admin/v1/rooms/{roomId}/dag?before=&limit=`: a part of the DAG, the latest events first, without
/// their contents.
pub async fn get(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let room_id = RoomId::parse(arguments::path(&incoming, 0)?)
        .map_err(|_| MatrixError::invalid_param("The path holds no room id"))?;
    let uri = incoming.request.uri();
    let bounded = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let before = number(uri, "before")?.map(bounded);
    let limit = number(uri, "limit")?.map_or(DEFAULT_LIMIT, bounded);
    let dag = ctx.call(&room_id, &GetDag { before, limit }).await?;
    Ok(Json(serde_json::to_string(&dag)?))
}

/// `GET /_selvedge/admin/dag`: the page that draws it. It holds nothing of the server's, and asks for a token.
pub async fn page(_: Ctx, _: NoAuth, _: Incoming) -> Result<Text, MatrixError> {
    Ok(Text { content_type: "text/html; charset=utf-8", body: include_str!("dag.html").to_owned() })
}
