//! Serving content `[C-S §11.7.2]`.

use http::Request;
use ruma::{
    UInt,
    api::{client::authenticated_media::get_media_config::v1 as get_media_config, error::ErrorCode},
};
use selvedge_durable_objects::matrix_error::MatrixError;
use web_sys::Response;

use super::{
    access,
    id::Mxc,
    remote::{self, Obtained},
    respond,
    store::{Described, Facts},
};
use crate::{
    context::Ctx,
    extract::{GuestsToo, NoAuth},
    router::Streamed,
};

/// How long a client waits for content that is to come, unless it says otherwise, in milliseconds.
const DEFAULT_WAIT: u64 = 20_000;
/// How long it waits at most, in milliseconds.
const MAX_WAIT: u64 = 60_000;
/// How long to sleep before the bucket is asked again whether the content is there, in milliseconds.
const POLL: u64 = 500;

/// Who asks, as far as it matters for what they get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A user of this server, or another server that proved its name.
    Known,
    /// Anyone, by the deprecated paths, which are frozen: they serve what was stored while they were open.
    Anyone,
}

/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`
pub async fn get_content(ctx: Ctx, _: GuestsToo, request: Streamed) -> Result<Response, MatrixError> {
    serve(&ctx, &request, Asker::Known).await
}

/// `GET /_matrix/media/v3/download/{serverName}/{mediaId}`, which is deprecated.
pub async fn get_content_openly(ctx: Ctx, _: NoAuth, request: Streamed) -> Result<Response, MatrixError> {
    serve(&ctx, &request, Asker::Anyone).await
}

/// `GET /_matrix/client/v1/media/config`
pub async fn get_media_config(
    ctx: Ctx,
    _: GuestsToo,
    _: get_media_config::Request,
) -> Result<get_media_config::Response, MatrixError> {
    Ok(get_media_config::Response::new(UInt::new_saturating(ctx.config.media.max_upload_bytes)))
}

async fn serve(ctx: &Ctx, request: &Streamed, asker: Asker) -> Result<Response, MatrixError> {
    let mxc = request.mxc()?;
    let name = request.path_args.get(2).filter(|name| !name.is_empty());
    let open = asker == Asker::Known || ctx.config.media.unauthenticated;
    let shown = move |facts: &mut Facts| {
        if let Some(name) = name {
            facts.file_name = Some(name.clone());
        }
        open || facts.open
    };
    if let Some(response) = respond::object(&ctx.media, &mxc.key(), &request.head, shown).await? {
        access::note(ctx, &mxc);
        return Ok(response);
    }
    if mxc.server == ctx.server_name() {
        await_upload(ctx, &mxc, &request.head).await?;
    } else if !open || refuses_remote(&request.head) {
        return Err(unknown());
    } else if let Obtained::Coming(mut facts, body) =
        remote::obtain(ctx, &mxc, timeout(&request.head)).await?
    {
        shown(&mut facts);
        let headers = respond::headers(&facts, None).map_err(respond::unmade)?;
        return respond::response(200, &headers, Some(&body));
    }
    respond::object(&ctx.media, &mxc.key(), &request.head, shown).await?.ok_or_else(unknown)
}

/// Waits until the content of an id of this server is there, if it is to come. `M_NOT_YET_UPLOADED`.
pub async fn await_upload(ctx: &Ctx, mxc: &Mxc, request: &Request<Vec<u8>>) -> Result<(), MatrixError> {
    let wait = timeout(request);
    let deadline = ctx.platform.now().saturating_add(wait);
    let is_pending = |pending: Option<Described>| {
        let expires_ts = pending.and_then(|pending| pending.facts.expires_ts);
        expires_ts.is_some_and(|expires| expires > ctx.platform.now())
    };
    if !is_pending(ctx.media.head(&mxc.pending_key()).await?) {
        return Ok(());
    }
    while ctx.media.head(&mxc.key()).await?.is_none() {
        let left = deadline.saturating_sub(ctx.platform.now()).min(POLL);
        if left == 0 {
            let text = "Media has not been uploaded yet";
            return Err(MatrixError::new(504, ErrorCode::NotYetUploaded, text));
        }
        ctx.platform.sleep(u32::try_from(left).unwrap_or(u32::MAX)).await;
    }
    Ok(())
}

/// Whether a request wants nothing that would have to be fetched from another server.
pub fn refuses_remote(request: &Request<Vec<u8>>) -> bool {
    query(request, "allow_remote").as_deref() == Some("false")
}

/// An argument of a request's query.
pub fn query(request: &Request<Vec<u8>>, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// How long a request is willing to wait for content that is to come, in milliseconds.
pub fn timeout(request: &Request<Vec<u8>>) -> u64 {
    let asked = query(request, "timeout_ms").and_then(|value| value.parse().ok());
    asked.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT)
}

/// `M_NOT_FOUND`.
pub fn unknown() -> MatrixError {
    MatrixError::not_found("No such media")
}
