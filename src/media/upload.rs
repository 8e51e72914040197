//! Taking content in: at once, or for an id that was given out before `[C-S §11.7.2]`.

use std::rc::Rc;

use futures_util::FutureExt;
use http::Request;
use ruma::api::error::ErrorCode;
use selvedge_durable_objects::{
    log,
    matrix_error::MatrixError,
    rpc::{
        media_index::{CheckSpace, IndexMedia},
        user::{BeginUpload, BegunUpload, EndUpload, ReserveMedia, Swept},
    },
};
use serde_json::json;
use web_sys::{ReadableStream, Response};

use super::{
    disposition::MAX_FILE_NAME,
    id::Mxc,
    respond,
    store::{Facts, Store},
    stream,
};
use crate::{context::Ctx, extract::ClientAuth, router::Streamed};

/// How long an id waits for its content, in milliseconds `[C-S §11.7.2]`.
const RESERVED_FOR: u64 = 24 * 60 * 60 * 1000;
/// The longest `Content-Type` that is kept, in bytes.
const MAX_CONTENT_TYPE: usize = 255;

/// `POST /_matrix/media/v3/upload`
pub async fn create_content(ctx: Ctx, auth: ClientAuth, request: Streamed) -> Result<Response, MatrixError> {
    let mxc = Mxc::generate(ctx.platform.as_ref());
    take_in(&ctx, &auth, &request, mxc.clone(), false).await?;
    respond::json(&json!({"content_uri": mxc.to_string()}))
}

/// `POST /_matrix/media/v1/create`
pub async fn create_mxc_uri(ctx: Ctx, auth: ClientAuth, _: Streamed) -> Result<Response, MatrixError> {
    auth.check_not_suspended()?;
    let mxc = Mxc::generate(ctx.platform.as_ref());
    let expires_ts = ctx.platform.now().saturating_add(RESERVED_FOR);
    let reserve = ReserveMedia { media_id: mxc.id.clone(), expires_ts };
    let swept = ctx.call(auth.localpart(), &reserve).await?;
    let facts = Facts {
        uploader: Some(auth.localpart().to_owned()),
        expires_ts: Some(expires_ts),
        ..Facts::default()
    };
    ctx.media.put(&mxc.pending_key(), Vec::new(), &facts).await?;
    sweep(&ctx, swept).await?;
    respond::json(&json!({"content_uri": mxc.to_string(), "unused_expires_at": expires_ts}))
}

/// `PUT /_matrix/media/v3/upload/{serverName}/{mediaId}`
pub async fn create_content_async(
    ctx: Ctx,
    auth: ClientAuth,
    request: Streamed,
) -> Result<Response, MatrixError> {
    let mxc = request.mxc()?;
    if mxc.server != ctx.server_name() {
        return Err(MatrixError::forbidden("This is another server's media"));
    }
    let taken = take_in(&ctx, &auth, &request, mxc.clone(), true).await;
    if taken.as_ref().is_err_and(|error| error.is(&ErrorCode::NotFound)) {
        return Err(whose(&ctx, &auth, &mxc).await?);
    }
    taken?;
    ctx.media.delete(&mxc.pending_key()).await?;
    respond::json(&json!({}))
}

/// Removes what ids have left behind that are no more.
async fn sweep(ctx: &Ctx, swept: Swept) -> Result<(), MatrixError> {
    for id in swept.expired {
        let mxc = Mxc { server: ctx.server_name().to_owned(), id };
        ctx.media.delete(&mxc.pending_key()).await?;
        ctx.media.delete(&mxc.key()).await?;
    }
    Ok(())
}

/// Why a user may not upload to an id that is not among theirs.
async fn whose(ctx: &Ctx, auth: &ClientAuth, mxc: &Mxc) -> Result<MatrixError, MatrixError> {
    if ctx.media.head(&mxc.key()).await?.is_some() {
        let text = "This media id has its content already";
        return Ok(MatrixError::new(409, ErrorCode::CannotOverwriteMedia, text));
    }
    let pending = ctx.media.head(&mxc.pending_key()).await?;
    let owner = pending.and_then(|pending| pending.facts.uploader);
    if owner.is_some_and(|owner| owner != auth.localpart()) {
        return Ok(MatrixError::forbidden("This media id is another user's"));
    }
    Ok(MatrixError::not_found("This media id was not created here, or has expired"))
}

async fn take_in(
    ctx: &Ctx,
    auth: &ClientAuth,
    request: &Streamed,
    mxc: Mxc,
    reserved: bool,
) -> Result<(), MatrixError> {
    auth.check_not_suspended()?;
    let length = content_length(&request.head)?;
    let max = ctx.config.media.max_upload_bytes;
    if length.is_some_and(|length| length > max) {
        return Err(too_large(max));
    }
    let facts = Facts {
        content_type: content_type(&request.head)?,
        file_name: file_name(&request.head)?,
        uploader: Some(auth.localpart().to_owned()),
        open: ctx.config.media.unauthenticated,
        expires_ts: None,
    };
    if ctx.config.media.max_bytes_in_all.is_some() {
        ctx.call(&(), &CheckSpace { bytes: length.unwrap_or(1) }).await?;
    }
    let begin = BeginUpload { media_id: mxc.id.clone(), reserved, bytes: length };
    let BegunUpload { swept, max_bytes } = ctx.call(auth.localpart(), &begin).await?;
    // The rest runs to its end even if the client goes away: then it tidies up.
    let (ctx, body, user) = (ctx.clone(), request.raw.body(), auth.localpart().to_owned());
    let platform = Rc::clone(&ctx.platform);
    let work = async move {
        let swept = sweep(&ctx, swept).await;
        let written = match swept {
            Ok(()) => write(&ctx.media, body, length, &mxc, facts.clone(), max_bytes).await,
            Err(error) => Err(error),
        };
        let written = match written {
            Err(error) if max_bytes < max && error.is(&ErrorCode::TooLarge) => Err(over_quota()),
            Ok(bytes) => index(&ctx, &mxc, facts, bytes).await,
            Err(error) => Err(error),
        };
        let bytes = written.as_ref().ok().copied();
        let ended = ctx.call(user.as_str(), &EndUpload { media_id: mxc.id.clone(), bytes }).await;
        written.and(ended)
    };
    let work = work.boxed_local().shared();
    platform.spawn(work.clone().map(drop).boxed_local());
    work.await
}

/// Tells the index what was stored; if that fails, it is not stored. Answers the size.
pub async fn index(ctx: &Ctx, mxc: &Mxc, facts: Facts, bytes: u64) -> Result<u64, MatrixError> {
    let Facts { content_type, file_name, uploader, open: is_open, .. } = facts;
    let command = IndexMedia { name: mxc.name(), uploader, bytes, content_type, file_name, is_open };
    let indexed = ctx.call(&(), &command).await;
    if !matches!(indexed, Ok(true)) {
        ctx.media.delete(&mxc.key()).await?;
    }
    if indexed? { Ok(bytes) } else { Err(MatrixError::not_found("No such media")) }
}

/// Stores a body; answers its size.
async fn write(
    store: &Store,
    body: Option<ReadableStream>,
    length: Option<u64>,
    mxc: &Mxc,
    facts: Facts,
    max: u64,
) -> Result<u64, MatrixError> {
    let Some(body) = body else {
        store.put(&mxc.key(), Vec::new(), &facts).await?;
        return Ok(0);
    };
    if length.is_some() {
        return store.put_stream(&mxc.key(), body, &facts).await.map_err(|error| {
            log::warn("upload", &error.to_string());
            MatrixError::bad_request("The upload broke off")
        });
    }
    let mut writer = store.writer(mxc.key(), facts);
    match copy(&body, &mut writer, max).await {
        Ok(()) => writer.finish().await,
        Err(error) => {
            writer.abandon().await;
            Err(error)
        }
    }
}

async fn copy(body: &ReadableStream, writer: &mut super::store::Writer, max: u64) -> Result<(), MatrixError> {
    let mut reader = stream::Reader::new(body, max);
    while let Some(chunk) = reader.next().await.map_err(|fault| match fault {
        stream::Fault::TooLarge => too_large(max),
        stream::Fault::Broken => MatrixError::bad_request("The upload broke off"),
    })? {
        writer.write(&chunk).await?;
    }
    Ok(())
}

fn over_quota() -> MatrixError {
    MatrixError::forbidden("This is more than a user of this server may upload")
}

fn too_large(max: u64) -> MatrixError {
    MatrixError::too_large(format!("This server takes files of at most {max} bytes"))
}

fn content_length(request: &Request<Vec<u8>>) -> Result<Option<u64>, MatrixError> {
    let Some(value) = request.headers().get(http::header::CONTENT_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| MatrixError::bad_request("Content-Length is not a number"))
}

fn content_type(request: &Request<Vec<u8>>) -> Result<Option<String>, MatrixError> {
    let Some(value) = request.headers().get(http::header::CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| text.len() <= MAX_CONTENT_TYPE);
    let text = text.ok_or_else(|| MatrixError::invalid_param("Content-Type is not valid"))?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn file_name(request: &Request<Vec<u8>>) -> Result<Option<String>, MatrixError> {
    let query = request.uri().query().unwrap_or_default();
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "filename");
    let name = named.map(|(_, value)| value.into_owned()).filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.len() > MAX_FILE_NAME) {
        return Err(MatrixError::invalid_param(format!("filename has at most {MAX_FILE_NAME} bytes")));
    }
    Ok(name)
}
