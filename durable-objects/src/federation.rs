//! Requests to other homeservers: found, signed, bounded, typed. And what is needed to believe their answers.

mod parts;
pub mod stray;
#[cfg(test)]
mod tests;
pub mod verify;
pub mod verify_keys;

use std::{cell::RefCell, collections::BTreeMap};

use futures_util::{StreamExt, stream::LocalBoxStream};
use ruma::{
    OwnedServerName, ServerName,
    api::{
        IncomingResponseExt, OutgoingRequest, OutgoingRequestExt,
        auth_scheme::NoAuthentication,
        error::{ErrorCode, FromHttpResponseError},
        federation::authentication::{ServerSignatures, XMatrixSigningInput},
        path_builder::SinglePath,
    },
};
use serde::Deserialize;

pub use self::parts::Parts;
pub use crate::address::is_private;
use crate::{
    matrix_error::{ErrorAnswer, MatrixError},
    platform::{self, FetchError, OutboundRequest, OutboundStream, Platform},
    rpc::{
        self,
        remote_server::{Resolution, Resolve},
    },
    signing::server_keys,
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
pub async fn send<R>(
    platform: &dyn Platform,
    destination: &ServerName,
    request: R,
    bounds: Bounds,
) -> Result<R::IncomingResponse, FederationError>
where
    R: OutgoingRequest<Authentication = ServerSignatures, PathBuilder = SinglePath>,
{
    let request = sign(platform, destination, request).await?;
    exchange::<R>(platform, destination.as_str(), request, bounds).await
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
    let resolution = resolve(platform, destination).await.map_err(FederationError::Internal)?;
    let keys = server_keys(platform).await.map_err(FederationError::Internal)?;
    let origin = platform.config().server_name.clone();
    let input = XMatrixSigningInput::new(origin, destination.to_owned(), &keys.pair);
    let base_url = reachable(destination.as_str(), &resolution)?;
    request
        .try_into_http_request::<Vec<u8>>(base_url, input, ())
        .map_err(|error| bad(destination.as_str(), &error))
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
    const MAX_REFUSAL: usize = 64 << 10;
    let request = sign(platform, destination, request).await?;
    let opened = platform.open(outbound(request, bounds)).await;
    let server = destination.as_str().to_owned();
    let OutboundStream { status, body, .. } = opened.map_err(|error| lost(&server, &error))?;
    let mut body = Body { server, body };
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
pub async fn send_unsigned<R>(
    platform: &dyn Platform,
    resolution: &Resolution,
    request: R,
) -> Result<R::IncomingResponse, FederationError>
where
    R: OutgoingRequest<Authentication = NoAuthentication, PathBuilder = SinglePath>,
{
    let base_url = reachable("the server", resolution)?;
    let request =
        request.try_into_http_request::<Vec<u8>>(base_url, (), ()).map_err(|error| bad(base_url, &error))?;
    let bounds = Bounds { max_bytes: MAX_UNSIGNED_BYTES, ..Bounds::default() };
    exchange::<R>(platform, base_url, request, bounds).await
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

async fn exchange<R: OutgoingRequest>(
    platform: &dyn Platform,
    server: &str,
    request: http::Request<Vec<u8>>,
    bounds: Bounds,
) -> Result<R::IncomingResponse, FederationError> {
    let response = platform::fetch(platform, outbound(request, bounds)).await;
    let response = response.map_err(|error| lost(server, &error))?;
    if !(200..300).contains(&response.status) {
        return Err(FederationError::Refused(refusal(response.status, &response.body)));
    }
    let read = |body: &[u8]| {
        let mut answer = http::Response::new(body);
        for (name, value) in &response.headers {
            if let (Ok(name), Ok(value)) =
                (http::HeaderName::try_from(name), http::HeaderValue::try_from(value))
            {
                answer.headers_mut().append(name, value);
            }
        }
        R::IncomingResponse::try_from_http_response(answer).map_err(|error| match error {
            FromHttpResponseError::Deserialization(error) => bad(server, &error),
            other => bad(server, &format!("{other:?}")),
        })
    };
    let error = match read(response.body.as_slice()) {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    without_nulls(&response.body).map_or(Err(error), |body| read(body.as_bytes()))
}

/// An object without those members that are null: some servers write it for what is empty. `None` when there are none.
fn without_nulls(body: &[u8]) -> Option<String> {
    let mut members: BTreeMap<&str, &serde_json::value::RawValue> = serde_json::from_slice(body).ok()?;
    let count = members.len();
    members.retain(|_, value| value.get() != "null");
    if members.len() == count { None } else { serde_json::to_string(&members).ok() }
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
    static RESOLUTIONS: RefCell<BTreeMap<OwnedServerName, Resolution>> = const { RefCell::new(BTreeMap::new()) };
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
    RESOLUTIONS.with_borrow_mut(|all| {
        if all.len() >= MAX_CACHED {
            all.clear();
        }
        all.insert(server.to_owned(), resolution.clone());
    });
    Ok(resolution)
}
