//! The content that a room's events name.

use std::collections::BTreeSet;

use ruma::RoomId;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        media_index::{MediaName, MediaSelection, QuarantineMedia},
        room::{ListRoomMedia, LogPosition},
    },
};
use serde_json::json;

use super::arguments;
use crate::{answer::Json, context::Ctx, extract::ServerAdmin, media::id::Mxc, router::Incoming};

/// `GET /_synapse/admin/v1/room/{roomId}/media`
pub async fn list(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let names = named(&ctx, &incoming).await?;
    let (local, remote): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| name.server == ctx.server_name());
    let texts = |names: Vec<MediaName>| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    Ok(Json(json!({"local": texts(local), "remote": texts(remote)}).to_string()))
}

/// `POST /_synapse/admin/v1/room/{roomId}/media/quarantine`, and `POST /_synapse/admin/v1/quarantine_media/{roomId}`
pub async fn quarantine(ctx: Ctx, admin: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let media = MediaSelection::Names(named(&ctx, &incoming).await?);
    let count = ctx.call(&(), &QuarantineMedia { media, by: Some(admin.name()) }).await?;
    Ok(Json(json!({"num_quarantined": count}).to_string()))
}

/// Everything that the room's events name, once each, the newest first.
async fn named(ctx: &Ctx, incoming: &Incoming) -> Result<Vec<MediaName>, MatrixError> {
    let room_id = RoomId::parse(arguments::path(incoming, 0)?)
        .map_err(|_| MatrixError::invalid_param("The path holds no room id"))?;
    let (mut seen, mut names) = (BTreeSet::new(), Vec::new());
    let mut before = Some(LogPosition::MAX);
    while let Some(position) = before {
        let page = ctx.call(&room_id, &ListRoomMedia { before: position }).await?;
        for name in page.urls.iter().filter_map(|url| parse(url)) {
            if seen.insert(name.clone()) {
                names.push(name);
            }
        }
        before = page.next;
    }
    Ok(names)
}

fn parse(url: &str) -> Option<MediaName> {
    let (server, id) = url.strip_prefix("mxc://")?.split_once('/')?;
    let Mxc { server, id } = Mxc::parse(server, id).ok()?;
    Some(MediaName { server, media_id: id })
}
