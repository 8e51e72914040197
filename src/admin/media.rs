//! Content by name, and by age.

use std::collections::BTreeSet;

use ruma::ServerName;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::media_index::{
        FindOldUploads, GetMediaInfo, MediaInfo, MediaName, MediaSelection, ProtectMedia, PurgeRemoteMedia,
        QuarantineMedia, RemoveMedia, Upload,
    },
};
use serde_json::json;

use super::{add, add_or_null, add_text, arguments, media_avatars};
use crate::{answer::Json, context::Ctx, extract::ServerAdmin, media::id::Mxc, router::Incoming};

/// `GET /_synapse/admin/v1/media/{serverName}/{mediaId}`
pub async fn get(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let name = name(&incoming)?;
    let info = ctx.call(&(), &GetMediaInfo { name }).await?.ok_or_else(unknown)?;
    let described = described(&ctx, &info);
    Ok(Json::object(|answer| answer.member("media_info", &described)))
}

/// `DELETE /_synapse/admin/v1/media/{serverName}/{mediaId}`
pub async fn delete(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let name = name(&incoming)?;
    if name.server != ctx.server_name() {
        return Err(MatrixError::bad_request("Can only delete local media"));
    }
    let removed = ctx.call(&(), &RemoveMedia { names: vec![name] }).await?;
    if removed.is_empty() { Err(unknown()) } else { Ok(deleted(&removed)) }
}

/// `POST /_synapse/admin/v1/media/delete?before_ts=&size_gt=&keep_profiles=`, also with the server's name in the path.
pub async fn delete_old(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    if incoming.path_args.first().is_some_and(|server| server != ctx.server_name().as_str()) {
        return Err(MatrixError::bad_request("Can only delete local media"));
    }
    let before_ts = arguments::before_ts(&incoming)?;
    let larger_than = arguments::number(&incoming, "size_gt")?.unwrap_or(0);
    let keep_profiles = arguments::flag(&incoming, "keep_profiles", true)?;
    let old = ctx.call(&(), &FindOldUploads { before_ts, larger_than }).await?;
    let kept = if keep_profiles { media_avatars::of_uploaders(&ctx, &old).await? } else { BTreeSet::new() };
    let name = |upload: Upload| MediaName { server: ctx.server_name().to_owned(), media_id: upload.media_id };
    let names = old.into_iter().map(name).filter(|name| !kept.contains(&name.to_string())).collect();
    Ok(deleted(&ctx.call(&(), &RemoveMedia { names }).await?))
}

/// `POST /_synapse/admin/v1/purge_media_cache?before_ts=`
pub async fn purge_remote(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let before_ts = arguments::before_ts(&incoming)?;
    let deleted = ctx.call(&(), &PurgeRemoteMedia { before_ts }).await?;
    Ok(Json(json!({"deleted": deleted}).to_string()))
}

/// `POST /_synapse/admin/v1/media/quarantine/{serverName}/{mediaId}`
pub async fn quarantine(ctx: Ctx, admin: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    set_quarantined(&ctx, &incoming, Some(admin.name())).await
}

/// `POST /_synapse/admin/v1/media/unquarantine/{serverName}/{mediaId}`
pub async fn unquarantine(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    set_quarantined(&ctx, &incoming, None).await
}

async fn set_quarantined(ctx: &Ctx, incoming: &Incoming, by: Option<String>) -> Result<Json, MatrixError> {
    let media = MediaSelection::Names(vec![name(incoming)?]);
    ctx.call(&(), &QuarantineMedia { media, by }).await?;
    Ok(Json("{}".to_owned()))
}

/// `POST /_synapse/admin/v1/media/protect/{mediaId}`
pub async fn protect(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    set_protected(&ctx, &incoming, true).await
}

/// `POST /_synapse/admin/v1/media/unprotect/{mediaId}`
pub async fn unprotect(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    set_protected(&ctx, &incoming, false).await
}

async fn set_protected(ctx: &Ctx, incoming: &Incoming, is_protected: bool) -> Result<Json, MatrixError> {
    let media_id = arguments::path(incoming, 0)?.to_owned();
    ctx.call(&(), &ProtectMedia { media_id, is_protected }).await?;
    Ok(Json("{}".to_owned()))
}

fn unknown() -> MatrixError {
    MatrixError::not_found("Unknown media")
}

/// The name in the first two arguments of the path.
fn name(incoming: &Incoming) -> Result<MediaName, MatrixError> {
    let Mxc { server, id } = Mxc::parse(arguments::path(incoming, 0)?, arguments::path(incoming, 1)?)?;
    Ok(MediaName { server, media_id: id })
}

/// The answer to what removed content.
pub fn deleted(names: &[MediaName]) -> Json {
    let ids: Vec<&str> = names.iter().map(|name| name.media_id.as_str()).collect();
    Json(json!({"deleted_media": ids, "total": ids.len()}).to_string())
}

/// Content as Synapse describes it.
pub fn described(ctx: &Ctx, info: &MediaInfo) -> String {
    let own: &ServerName = ctx.server_name();
    let is_own = info.name.server == own;
    let uploader = info.uploader.as_ref().map(|localpart| format!("@{localpart}:{own}"));
    let described = Json::object(|described| {
        add_text(described, "media_origin", (!is_own).then_some(info.name.server.as_str()));
        add_text(described, "user_id", uploader.as_deref());
        described.string("media_id", &info.name.media_id);
        add_text(described, "media_type", info.content_type.as_deref());
        add(described, "media_length", info.bytes);
        add_text(described, "upload_name", info.file_name.as_deref());
        add(described, "created_ts", info.created_ts);
        add_or_null(described, "last_access_ts", info.last_access_ts);
        add_text(described, "url_cache", None);
        add_text(described, "quarantined_by", info.quarantined_by.as_deref());
        add(described, "authenticated", !info.is_open);
        add_or_null(described, "safe_from_quarantine", is_own.then_some(info.is_protected));
    });
    described.0
}
