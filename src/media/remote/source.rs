//! Where content of another server comes from: its authenticated endpoint, else its deprecated one, or a place
//! that it names.

use futures_util::{
    future::{Either, select},
    pin_mut,
};
use ruma::api::{error::ErrorCode, federation::authenticated_media::get_content::v1 as get_content};
use selvedge_durable_objects::{
    federation::{self, FederationError, is_private},
    matrix_error::MatrixError,
};
use web_sys::ReadableStream;
use worker::{AbortController, Fetch, Headers, RequestInit, RequestRedirect, ResponseBody};

use crate::{
    context::Ctx,
    media::{
        disposition,
        id::Mxc,
        multipart::{self, Scanner},
        store::Facts,
        stream::{Fault, Reader},
    },
};

/// How long a server may take to begin its answer, or to go on with it, in milliseconds.
const PATIENCE: u32 = 30_000;
/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;
/// How large an error's body may be, in bytes.
const MAX_ERROR: u64 = 64 * 1024;

/// Content that is coming.
pub struct Source {
    /// How it is to be served.
    pub facts: Facts,
    reader: Reader,
    /// What takes the content out of a multipart body.
    scanner: Option<Scanner>,
}

/// The beginning of an answer.
struct Opened {
    status: u16,
    headers: Headers,
    body: Option<ReadableStream>,
}

fn too_large() -> MatrixError {
    MatrixError::new(502, ErrorCode::TooLarge, "The media is larger than this server takes")
}

fn bad(what: impl std::fmt::Display) -> MatrixError {
    MatrixError::bad_gateway(format!("The other server's media cannot be had: {what}"))
}

/// Asks, and reads as far as the headers.
async fn open(
    ctx: &Ctx,
    url: &str,
    authorization: Option<&str>,
    patience: u32,
) -> Result<Opened, MatrixError> {
    let headers = Headers::new();
    if let Some(value) = authorization {
        headers.set("authorization", value).map_err(bad)?;
    }
    let mut init = RequestInit::new();
    init.with_headers(headers);
    init.redirect = RequestRedirect::Manual;
    let request = worker::Request::new_with_init(url, &init).map_err(bad)?;
    let abort = AbortController::default();
    let signal = abort.signal();
    let answer = async move { Fetch::Request(request).send_with_signal(&signal).await };
    pin_mut!(answer);
    let response = match select(answer, ctx.platform.sleep(patience)).await {
        Either::Left((response, _)) => response.map_err(bad)?,
        Either::Right(((), _)) => {
            abort.abort();
            return Err(bad("no answer in time"));
        }
    };
    let body = match response.body() {
        ResponseBody::Stream(stream) => Some(stream.clone()),
        _ => None,
    };
    Ok(Opened { status: response.status_code(), headers: response.headers().clone(), body })
}

impl Opened {
    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    /// Why there is no content.
    async fn refusal(&self) -> MatrixError {
        let mut body = Vec::new();
        if let Some(stream) = &self.body {
            let mut reader = Reader::new(stream, MAX_ERROR);
            while let Ok(Some(chunk)) = reader.next().await {
                body.extend(chunk);
            }
        }
        federation::refusal(self.status, &body)
    }

    /// The content that the body is, as a whole.
    fn plain(self, ctx: &Ctx) -> Result<Source, MatrixError> {
        let max = ctx.config.media.max_upload_bytes;
        let length = self.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > max) {
            return Err(too_large());
        }
        let facts = facts(ctx, self.header("content-type"), self.header("content-disposition").as_deref());
        let body = self.body.ok_or_else(|| bad("the answer has no body"))?;
        Ok(Source { facts, reader: Reader::new(&body, max), scanner: None })
    }
}

fn facts(ctx: &Ctx, content_type: Option<String>, content_disposition: Option<&str>) -> Facts {
    Facts {
        content_type: content_type.filter(|text| text.len() <= 255),
        file_name: content_disposition.and_then(disposition::file_name),
        open: ctx.config.media.unauthenticated,
        ..Facts::default()
    }
}

impl Source {
    /// Asks the server that the content comes from.
    pub async fn open(ctx: &Ctx, mxc: &Mxc, timeout_ms: u64) -> Result<Self, MatrixError> {
        let mut request = get_content::Request::new(mxc.id.clone());
        request.timeout_ms = std::time::Duration::from_millis(timeout_ms);
        let signed = federation::sign(ctx.platform.as_ref(), &mxc.server, request).await;
        let signed = signed.map_err(|error: FederationError| MatrixError::from(error))?;
        let authorization = signed.headers().get(http::header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let url = signed.uri().to_string();
        let patience = PATIENCE.saturating_add(u32::try_from(timeout_ms).unwrap_or(0));
        let opened = open(ctx, &url, authorization.as_deref(), patience).await?;
        if opened.status == 200 {
            let content_type = opened.header("content-type").unwrap_or_default();
            return match (multipart::boundary(&content_type), opened.body) {
                (Some(boundary), Some(body)) => Self::of_parts(ctx, &body, &boundary).await,
                _ => Self::open_deprecated(ctx, mxc, &url).await,
            };
        }
        let refusal = opened.refusal().await;
        // A server that does not know the endpoint may not say so in Matrix's words.
        let unrecognized = refusal.is(&ErrorCode::Unrecognized) || refusal.is(&ErrorCode::Unknown);
        match opened.status {
            400 | 404 | 405 if unrecognized => Self::open_deprecated(ctx, mxc, &url).await,
            _ => Err(passed_on(refusal)),
        }
    }

    /// Asks by the path of old, which needs no proof, at the place of the URL that was asked before.
    async fn open_deprecated(ctx: &Ctx, mxc: &Mxc, asked: &str) -> Result<Self, MatrixError> {
        let base = asked.split("/_matrix/").next().unwrap_or_default();
        let Mxc { server, id } = mxc;
        let url = format!("{base}/_matrix/media/v3/download/{server}/{id}?allow_remote=false");
        Self::follow(ctx, url).await
    }

    /// The content at a URL, or where that leads.
    async fn follow(ctx: &Ctx, mut url: String) -> Result<Self, MatrixError> {
        for _ in 0..=MAX_REDIRECTS {
            check_public(ctx, &url)?;
            let opened = open(ctx, &url, None, PATIENCE).await?;
            match (opened.status, opened.header("location")) {
                (200, _) => return opened.plain(ctx),
                (301 | 302 | 303 | 307 | 308, Some(location)) => url = join(&url, &location)?,
                _ => return Err(passed_on(opened.refusal().await)),
            }
        }
        Err(bad("too many redirects"))
    }

    /// Reads a multipart body as far as the content's header.
    async fn of_parts(ctx: &Ctx, body: &ReadableStream, boundary: &str) -> Result<Self, MatrixError> {
        let max = ctx.config.media.max_upload_bytes.saturating_add(MAX_ERROR);
        let (mut reader, mut scanner) = (Reader::new(body, max), Scanner::new(boundary));
        let head = loop {
            if let Some(head) = scanner.head() {
                break head.clone();
            }
            let chunk = read(ctx, &mut reader).await?.ok_or_else(|| bad("the answer breaks off"))?;
            scanner.push(&chunk).map_err(bad)?;
        };
        if let Some(location) = head.location {
            reader.cancel();
            return Self::follow(ctx, location).await;
        }
        let facts = facts(ctx, head.content_type, head.content_disposition.as_deref());
        Ok(Self { facts, reader, scanner: Some(scanner) })
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self, ctx: &Ctx) -> Result<Option<Vec<u8>>, MatrixError> {
        let Some(scanner) = &mut self.scanner else { return read(ctx, &mut self.reader).await };
        loop {
            if let Some(bytes) = scanner.pop() {
                return Ok(Some(bytes));
            }
            if scanner.is_complete() {
                return Ok(None);
            }
            let chunk = read(ctx, &mut self.reader).await?.ok_or_else(|| bad("it broke off"))?;
            scanner.push(&chunk).map_err(bad)?;
        }
    }

    /// Wants no more of it.
    pub fn cancel(&self) {
        self.reader.cancel();
    }
}

async fn read(ctx: &Ctx, reader: &mut Reader) -> Result<Option<Vec<u8>>, MatrixError> {
    let next = reader.next();
    pin_mut!(next);
    match select(next, ctx.platform.sleep(PATIENCE)).await {
        Either::Left((Ok(chunk), _)) => Ok(chunk),
        Either::Left((Err(Fault::TooLarge), _)) => Err(too_large()),
        Either::Left((Err(Fault::Broken), _)) => Err(bad("it broke off")),
        Either::Right(((), _)) => Err(bad("it stopped coming")),
    }
}

/// What the asker is told of another server's refusal.
fn passed_on(refusal: MatrixError) -> MatrixError {
    match refusal.status {
        404 => MatrixError::not_found("No such media"),
        429 | 504 if !refusal.is(&ErrorCode::Unknown) => refusal,
        413 | 502 if refusal.is(&ErrorCode::TooLarge) => too_large(),
        status => bad(format!("it answers {status}")),
    }
}

/// Refuses what is no HTTPS URL of a public place.
fn check_public(ctx: &Ctx, url: &str) -> Result<(), MatrixError> {
    let uri = url.parse::<http::Uri>().map_err(|_| bad("a malformed URL"))?;
    let host = uri.host().unwrap_or_default();
    if uri.scheme_str() != Some("https") || host.is_empty() {
        return Err(bad("its place is no HTTPS URL"));
    }
    if is_private(host) && !ctx.config.allow_private_addresses {
        return Err(bad("its place is not public"));
    }
    Ok(())
}

/// The URL that a `Location` header means.
fn join(base: &str, location: &str) -> Result<String, MatrixError> {
    let joined = web_sys::Url::new_with_base(location, base).map_err(|_| bad("a malformed redirect"))?;
    Ok(joined.href())
}
