//! Content of this server for others `[S-S §18]`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use selvedge_durable_objects::{matrix_error::MatrixError, platform::random};
use web_sys::{Headers, ReadableStream, Response};

use crate::{
    context::Ctx,
    extract::FederationAuth,
    media::{
        access,
        disposition::content_disposition,
        download::{Asker, await_upload, unknown},
        id::Mxc,
        multipart,
        respond::{self, DEFAULT_TYPE, unmade},
        store::Described,
        stream, thumbnail,
    },
    router::Streamed,
};

/// `GET /_matrix/federation/v1/media/download/{mediaId}`
pub async fn get_content(ctx: Ctx, _: FederationAuth, request: Streamed) -> Result<Response, MatrixError> {
    let mxc = own(&ctx, &request)?;
    if let Some(found) = ctx.media.get(&mxc.key(), None).await? {
        access::note(&ctx, &mxc);
        return enclosed(&ctx, found);
    }
    await_upload(&ctx, &mxc, &request.head).await?;
    let found = ctx.media.get(&mxc.key(), None).await?.ok_or_else(unknown)?;
    enclosed(&ctx, found)
}

/// `GET /_matrix/federation/v1/media/thumbnail/{mediaId}`
pub async fn get_content_thumbnail(
    ctx: Ctx,
    _: FederationAuth,
    request: Streamed,
) -> Result<Response, MatrixError> {
    let mxc = own(&ctx, &request)?;
    let key = thumbnail::serve::find(&ctx, &mxc, &request, Asker::Known).await?;
    enclosed(&ctx, ctx.media.get(&key, None).await?.ok_or_else(unknown)?)
}

/// The content of this server that a request names.
fn own(ctx: &Ctx, request: &Streamed) -> Result<Mxc, MatrixError> {
    let id = request.path_args.first().map(String::as_str).unwrap_or_default();
    Mxc::parse(ctx.server_name().as_str(), id)
}

/// Content as the second of two parts.
fn enclosed(ctx: &Ctx, (described, body): (Described, ReadableStream)) -> Result<Response, MatrixError> {
    let boundary = URL_SAFE_NO_PAD.encode(random::<24>(ctx.platform.as_ref()));
    let content_type = described.facts.content_type.as_deref().unwrap_or(DEFAULT_TYPE);
    let disposition = content_disposition(content_type, described.facts.file_name.as_deref());
    let (head, tail) = multipart::frame(&boundary, content_type, &disposition);
    let body = stream::enclose(ctx.platform.as_ref(), head, (body, described.size), tail).map_err(unmade)?;
    let headers = Headers::new().map_err(unmade)?;
    headers.set("content-type", &format!("multipart/mixed; boundary={boundary}")).map_err(unmade)?;
    respond::response(200, &headers, Some(&body))
}
