//! Serving thumbnails, and making them when they are first asked for.

use ruma::api::error::ErrorCode;
use selvedge_durable_objects::matrix_error::MatrixError;
use web_sys::Response;

use super::{Fault, MAX_INPUT, Made, Wanted, make};
use crate::{
    context::Ctx,
    extract::{GuestsToo, NoAuth},
    media::{
        access,
        disposition::essence,
        download::{Asker, await_upload, query, refuses_remote, timeout, unknown},
        id::Mxc,
        remote, respond,
        store::{Described, Facts},
    },
    router::Streamed,
};

/// The largest animation that is served as it is, in bytes, where an animated thumbnail is wanted.
const MAX_ANIMATION: u64 = 4 << 20;

/// `GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}`
pub async fn get_content_thumbnail(
    ctx: Ctx,
    _: GuestsToo,
    request: Streamed,
) -> Result<Response, MatrixError> {
    serve(&ctx, &request, Asker::Known).await
}

/// `GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}`, which is deprecated.
pub async fn get_content_thumbnail_openly(
    ctx: Ctx,
    _: NoAuth,
    request: Streamed,
) -> Result<Response, MatrixError> {
    serve(&ctx, &request, Asker::Anyone).await
}

async fn serve(ctx: &Ctx, request: &Streamed, asker: Asker) -> Result<Response, MatrixError> {
    let mxc = request.mxc()?;
    let key = find(ctx, &mxc, request, asker).await?;
    let open = asker == Asker::Known || ctx.config.media.unauthenticated;
    let shown = |facts: &mut Facts| open || facts.open;
    respond::object(&ctx.media, &key, &request.head, shown).await?.ok_or_else(unknown)
}

/// The key of the thumbnail that a request wants, which is there then.
pub async fn find(ctx: &Ctx, mxc: &Mxc, request: &Streamed, asker: Asker) -> Result<String, MatrixError> {
    let wanted = Wanted::parse(|name| query(&request.head, name))?.rounded();
    let key = mxc.thumbnail_key(&wanted.name());
    if !wanted.animated && ctx.media.head(&key).await?.is_some() {
        access::note(ctx, mxc);
        return Ok(key);
    }
    let open = asker == Asker::Known || ctx.config.media.unauthenticated;
    let original = original(ctx, mxc, request, open).await?;
    let kind = essence(original.facts.content_type.as_deref().unwrap_or_default());
    let moves = ["image/gif", "image/webp", "image/apng"].contains(&kind.as_str());
    if wanted.animated && moves && original.size <= MAX_ANIMATION {
        return Ok(mxc.key());
    }
    if original.size > MAX_INPUT {
        return Err(refusal(ctx, mxc, Fault::TooLarge));
    }
    let (_, file) = ctx.media.read(&mxc.key()).await?.ok_or_else(unknown)?;
    let (content_type, bytes) = match make(&file, wanted).map_err(|fault| refusal(ctx, mxc, fault))? {
        Made::Original { content_type } if content_type == kind => return Ok(mxc.key()),
        // Served as what it is, whatever its uploader called it.
        Made::Original { content_type } => (content_type, file),
        Made::Smaller { content_type, bytes } => (content_type, bytes),
    };
    let facts = Facts {
        content_type: Some(content_type.to_owned()),
        file_name: Some(content_type.replace("image/", "thumbnail.")),
        open: original.facts.open,
        ..Facts::default()
    };
    ctx.media.put(&key, bytes, &facts).await?;
    if ctx.media.head(&mxc.key()).await?.is_none() {
        // It was withdrawn meanwhile, and its thumbnails with it.
        ctx.media.delete(&key).await?;
        return Err(unknown());
    }
    Ok(key)
}

/// Describes the image, after it was fetched if need be.
async fn original(ctx: &Ctx, mxc: &Mxc, request: &Streamed, open: bool) -> Result<Described, MatrixError> {
    let found = ctx.media.head(&mxc.key()).await?;
    let found = match found {
        Some(found) => found,
        None if mxc.server == ctx.server_name() => {
            await_upload(ctx, mxc, &request.head).await?;
            ctx.media.head(&mxc.key()).await?.ok_or_else(unknown)?
        }
        None if !open || refuses_remote(&request.head) => return Err(unknown()),
        None => {
            remote::store(ctx, mxc, timeout(&request.head)).await?;
            ctx.media.head(&mxc.key()).await?.ok_or_else(unknown)?
        }
    };
    if !open && !found.facts.open {
        return Err(unknown());
    }
    access::note(ctx, mxc);
    Ok(found)
}

fn refusal(ctx: &Ctx, mxc: &Mxc, fault: Fault) -> MatrixError {
    match fault {
        Fault::NotAnImage => MatrixError::bad_request("Cannot generate thumbnails for the requested content"),
        Fault::TooLarge => {
            let status = if mxc.server == ctx.server_name() { 413 } else { 502 };
            MatrixError::new(status, ErrorCode::TooLarge, "Content is too large to thumbnail")
        }
    }
}
