//! Requests to other homeservers: found, signed, bounded, typed. And what is needed to believe their answers.

mod parts;
pub mod stray;
#[cfg(test)]
mod tests;
mod typed;
pub mod verify;
pub mod verify_keys;

use std::{cell::RefCell, collections::BTreeMap};

use futures_util::{FutureExt, StreamExt, stream::LocalBoxStream};
use ruma::{
    OwnedServerName, ServerName,
    api::{
        OutgoingRequest,
        auth_scheme::{AuthScheme, NoAuthentication},
        error::{ErrorCode, IntoHttpError},
        federation::authentication::{ServerSignatures, XMatrixSigningInput},
        path_builder::SinglePath,
    },
};
use selvedge_protocol::json::ObjectWriter;
use serde::Deserialize;

use self::typed::written;
pub use self::{parts::Parts, typed::Answer};
pub use crate::address::is_private;
use crate::{
    matrix_error::{ErrorAnswer, MatrixError},
    platform::{self, FetchError, OutboundRequest, OutboundResponse, OutboundStream, Platform},
    rpc::{
        self,
        remote_server::{Resolution, Resolve},
    },
    signing::server_keys,
    sorted::SortedMap,
};

/// How long one exchange with another server may take, in milliseconds, unless the caller says otherwise.
pub const DEFAULT_TIMEOUT_MS: u32 = 30_000;
/// How large an answer may be, in bytes, unless the caller says otherwise.
pub const DEFAULT_MAX_BYTES: usize = 16 << 20;

/// How large an answer to a question may be that anyone can ask, which is about keys, in bytes.
const MAX_UNSIGNED_BYTES: usize = 256 << 10;

/// A request to another server did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FederationError {
    /// The server cannot be found or reached.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why not.
        reason: String,
    },
    /// The server refused: its status, errcode and text.
    #[error("{0}")]
    Refused(MatrixError),
    /// The server's answer is not what the specification says.
    #[error("{server} answers what is not understood: {reason}")]
    BadAnswer {
        /// The server.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// A part of this server failed.
    #[error("{0}")]
    Internal(MatrixError),
}

impl From<FederationError> for MatrixError {
    fn from(error: FederationError) -> Self {
        match error {
            FederationError::Refused(error) => passed_on(error),
            FederationError::Internal(error) => error,
            other => Self::bad_gateway(other.to_string()),
        }
    }
}

/// What a client is told of another server's refusal: the same, unless it would speak of the client's own session.
/// Else a server could log this server's users out, or send them elsewhere.
fn passed_on(error: MatrixError) -> MatrixError {
    const OF_SESSIONS: [ErrorCode; 6] = [
        ErrorCode::UnknownToken,
        ErrorCode::MissingToken,
        ErrorCode::UserLocked,
        ErrorCode::UserSuspended,
        ErrorCode::UserDeactivated,
        ErrorCode::Unauthorized,
    ];
    let is_of_session = error.status == 401 || OF_SESSIONS.iter().any(|code| error.is(code));
    if is_of_session || !(400..600).contains(&error.status) {
        return MatrixError::bad_gateway(format!("The other server refused: {}", error.message));
    }
    error
}

/// Bounds of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Milliseconds for the whole exchange.
    pub timeout_ms: u32,
    /// Bytes of the answer's body.
    pub max_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { timeout_ms: DEFAULT_TIMEOUT_MS, max_bytes: DEFAULT_MAX_BYTES }
    }
}

/// Sends a signed request to `destination` and waits for its typed answer.
pub fn send<'p, R>(
    platform: &'p dyn Platform,
    destination: &'p ServerName,
    request: R,
    bounds: Bounds,
) -> Answer<'p, R::IncomingResponse>
where
    R: OutgoingRequest<Authentication = ServerSignatures, PathBuilder = SinglePath>,
{
    let exchanged = exchange_signed(platform, destination, written(request), bounds);
    Answer::new(destination.as_str(), exchanged.boxed_local())
}

async fn exchange_signed(
    platform: &dyn Platform,
    destination: &ServerName,
    request: Result<http::Request<Vec<u8>>, IntoHttpError>,
    bounds: Bounds,
) -> Result<OutboundResponse, FederationError> {
    let request = sign_written(platform, destination, request).await?;
    exchange(platform, destination.as_str(), request, bounds).await
}

/// A request to `destination`, signed, with the URL at which it is reached: for callers whose answers stream.
pub async fn sign<R>(
    platform: &dyn Platform,
    destination: &ServerName,
    request: R,
) -> Result<http::Request<Vec<u8>>, FederationError>
where
    R: OutgoingRequest<Authentication = ServerSignatures, PathBuilder = SinglePath>,
{
    sign_written(platform, destination, written(request)).await
}

/// Sends a signed request to `destination`, whose answer may be too large to be held: its body as it
/// arrives. Of the bounds, the time is that until the answer begins, and that between its pieces.
pub async fn open<R>(
    platform: &dyn Platform,
    destination: &ServerName,
    request: R,
    bounds: Bounds,
) -> Result<Body, FederationError>
where
    R: OutgoingRequest<Authentication = ServerSignatures, PathBuilder = SinglePath>,
{
    let request = sign_written(platform, destination, written(request)).await?;
    open_signed(platform, destination.as_str(), request, bounds).await
}

/// Completes `request`: says where its server is, and signs it.
async fn sign_written(
    platform: &dyn Platform,
    destination: &ServerName,
    request: Result<http::Request<Vec<u8>>, IntoHttpError>,
) -> Result<http::Request<Vec<u8>>, FederationError> {
    let resolution = resolve(platform, destination).await.map_err(FederationError::Internal)?;
    let keys = server_keys(platform).await.map_err(FederationError::Internal)?;
    let origin = platform.config().server_name.clone();
    let input = XMatrixSigningInput::new(origin, destination.to_owned(), &keys.pair);
    let base_url = reachable(destination.as_str(), &resolution)?;
    let signed = request.and_then(|request| {
        let mut request = located(request, base_url)?;
        ServerSignatures::add_authentication(&mut request, input).map_err(IntoHttpError::authentication)?;
        Ok(request)
    });
    signed.map_err(|error| bad(destination.as_str(), &error))
}

/// Says where the server of `request` is.
fn located(
    mut request: http::Request<Vec<u8>>,
    base_url: &str,
) -> Result<http::Request<Vec<u8>>, IntoHttpError> {
    let base_url = base_url.strip_suffix('/').unwrap_or(base_url);
    *request.uri_mut() = format!("{base_url}{}", request.uri()).parse().map_err(http::Error::from)?;
    Ok(request)
}

async fn open_signed(
    platform: &dyn Platform,
    server: &str,
    request: http::Request<Vec<u8>>,
    bounds: Bounds,
) -> Result<Body, FederationError> {
    const MAX_REFUSAL: usize = 64 << 10;
    let opened = platform.open(outbound(request, bounds)).await;
    let OutboundStream { status, body, .. } = opened.map_err(|error| lost(server, &error))?;
    let mut body = Body { server: server.to_owned(), body };
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let mut text = Vec::new();
    while let Some(chunk) = body.next().await? {
        text.extend(chunk);
        if text.len() > MAX_REFUSAL {
            break;
        }
    }
    Err(FederationError::Refused(refusal(status, &text)))
}

/// The body of another server's answer, as it arrives.
pub struct Body {
    server: String,
    body: LocalBoxStream<'static, Result<Vec<u8>, FetchError>>,
}

impl Body {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, FederationError> {
        self.body.next().await.transpose().map_err(|error| lost(&self.server, &error))
    }

    /// What stands for an answer that is not understood.
    pub fn bad(&self, error: &dyn std::fmt::Display) -> FederationError {
        bad(&self.server, error)
    }
}

/// Sends a request that needs no signature to a server whose place is known.
pub fn send_unsigned<'p, R>(
    platform: &'p dyn Platform,
    resolution: &'p Resolution,
    request: R,
) -> Answer<'p, R::IncomingResponse>
where
    R: OutgoingRequest<Authentication = NoAuthentication, PathBuilder = SinglePath>,
{
    let server = resolution.base_url.as_deref().unwrap_or_default();
    Answer::new(server, exchange_unsigned(platform, resolution, written(request)).boxed_local())
}

async fn exchange_unsigned(
    platform: &dyn Platform,
    resolution: &Resolution,
    request: Result<http::Request<Vec<u8>>, IntoHttpError>,
) -> Result<OutboundResponse, FederationError> {
    let base_url = reachable("the server", resolution)?;
    let request = request.and_then(|request| located(request, base_url));
    let request = request.map_err(|error| bad(base_url, &error))?;
    let bounds = Bounds { max_bytes: MAX_UNSIGNED_BYTES, ..Bounds::default() };
    exchange(platform, base_url, request, bounds).await
}

fn reachable<'r>(server: &str, resolution: &'r Resolution) -> Result<&'r str, FederationError> {
    resolution
        .base_url
        .as_deref()
        .map_err(|reason| FederationError::Unreachable { server: server.to_owned(), reason: reason.clone() })
}

fn bad(server: &str, error: &dyn std::fmt::Display) -> FederationError {
    FederationError::BadAnswer { server: server.to_owned(), reason: error.to_string() }
}

fn lost(server: &str, error: &FetchError) -> FederationError {
    match error {
        FetchError::TooLarge => bad(server, error),
        FetchError::TimedOut | FetchError::Failed(_) => {
            FederationError::Unreachable { server: server.to_owned(), reason: error.to_string() }
        }
    }
}

fn outbound(request: http::Request<Vec<u8>>, bounds: Bounds) -> OutboundRequest {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    OutboundRequest {
        method: parts.method,
        url: parts.uri.to_string(),
        headers: headers.collect(),
        body,
        timeout_ms: bounds.timeout_ms,
        max_bytes: bounds.max_bytes,
        follow_redirects: false,
    }
}

async fn exchange(
    platform: &dyn Platform,
    server: &str,
    request: http::Request<Vec<u8>>,
    bounds: Bounds,
) -> Result<OutboundResponse, FederationError> {
    let response = platform::fetch(platform, outbound(request, bounds)).await;
    let response = response.map_err(|error| lost(server, &error))?;
    if !(200..300).contains(&response.status) {
        return Err(FederationError::Refused(refusal(response.status, &response.body)));
    }
    Ok(response)
}

/// An object without those members that are null: some servers write it for what is empty. `None` when there are none.
fn without_nulls(body: &[u8]) -> Option<String> {
    let members: BTreeMap<&str, &serde_json::value::RawValue> = serde_json::from_slice(body).ok()?;
    let mut others = ObjectWriter::new();
    let mut has_nulls = false;
    for (name, value) in members {
        match value.get() {
            "null" => has_nulls = true,
            value => others.named(name, value),
        }
    }
    has_nulls.then(|| others.finish())
}

/// Reads an error answer; a body that is not a Matrix error stands as `M_UNKNOWN`.
pub fn refusal(status: u16, body: &[u8]) -> MatrixError {
    #[derive(Deserialize)]
    struct Body {
        errcode: String,
        #[serde(default)]
        error: String,
        #[serde(flatten)]
        extra: serde_json::Map<String, serde_json::Value>,
    }
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { errcode, error, extra }) => {
            ErrorAnswer { status, code: errcode.into(), message: error.into(), extra }.into()
        }
        Err(_) => MatrixError::bad_gateway(format!("The other server answered {status}")).with_status(status),
    }
}

/// How many servers' places an isolate remembers.
const MAX_CACHED: usize = 1000;

thread_local! {
    static RESOLUTIONS: RefCell<SortedMap<OwnedServerName, Resolution>> = const { RefCell::new(SortedMap::new()) };
}

/// Where `server` is reached: remembered per isolate, else asked of its actor.
pub async fn resolve(platform: &dyn Platform, server: &ServerName) -> Result<Resolution, MatrixError> {
    let now = platform.now();
    let cached =
        RESOLUTIONS.with_borrow(|all| all.get(server).filter(|known| known.expires_ts > now).cloned());
    if let Some(resolution) = cached {
        return Ok(resolution);
    }
    let resolution = rpc::call(platform, &server.to_owned(), &Resolve {}).await?;
    RESOLUTIONS.with_borrow_mut(|all| all.remember(MAX_CACHED, server.to_owned(), resolution.clone()));
    Ok(resolution)
}
