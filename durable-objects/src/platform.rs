//! What an engine may ask of the world: other actors, other servers, the clock, randomness, an
//! alarm, its waiting clients. Behind a trait, so that engines run natively against fakes.

#[cfg(target_arch = "wasm32")]
mod workers;

use std::rc::Rc;

use futures_util::{
    FutureExt, StreamExt,
    future::LocalBoxFuture,
    stream::{self, LocalBoxStream},
};

#[cfg(target_arch = "wasm32")]
pub use workers::{WorkersPlatform, waiting};

use crate::config::ServerConfig;

/// The classes of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActorKind {
    /// A room's event DAG, state and log.
    Room,
    /// A local user: credentials, devices, account data, sync stream.
    User,
    /// What the server has one of: signing keys, aliases, public rooms, registration tokens.
    Directory,
    /// Another homeserver: its keys, and the queue towards it.
    RemoteServer,
    /// An application service and the queue towards it.
    AppService,
    /// What content the bucket has.
    MediaIndex,
}

impl ActorKind {
    /// The name of the Durable Object binding.
    pub fn binding(self) -> &'static str {
        match self {
            Self::Room => "ROOM",
            Self::User => "USER",
            Self::Directory => "DIRECTORY",
            Self::RemoteServer => "REMOTE_SERVER",
            Self::AppService => "APP_SERVICE",
            Self::MediaIndex => "MEDIA_INDEX",
        }
    }
}

/// One actor: its class and its name in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorName {
    /// The class.
    pub kind: ActorKind,
    /// The name, unique in the class.
    pub name: String,
}

/// A call to an actor did not come back with an answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("call to {actor}: {reason}")]
pub struct CallError {
    /// The binding of the actor that was called.
    pub actor: &'static str,
    /// What the platform said.
    pub reason: String,
}

/// A request to another server.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// `GET`, `POST`, `PUT`.
    pub method: http::Method,
    /// An absolute URL.
    pub url: String,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long the whole exchange may take, in milliseconds.
    pub timeout_ms: u32,
    /// How much of a body is read before the exchange is an error, in bytes.
    pub max_bytes: usize,
    /// Whether redirects are followed (at most 20, by the platform).
    pub follow_redirects: bool,
}

/// The answer of another server.
#[derive(Debug, Clone)]
pub struct OutboundResponse {
    /// The HTTP status.
    pub status: u16,
    /// Header names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// The answer of another server as it arrives.
pub struct OutboundStream {
    /// The HTTP status.
    pub status: u16,
    /// Header names (lower case) and values.
    pub headers: Vec<(String, String)>,
    /// The body; it ends at an error. Dropping it ends the exchange.
    pub body: LocalBoxStream<'static, Result<Vec<u8>, FetchError>>,
}

/// Another server could not be reached, or its answer broke a bound.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// No answer within the time given.
    #[error("timed out")]
    TimedOut,
    /// The body is larger than allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// Anything else: name resolution, TLS, connection.
    #[error("{0}")]
    Failed(String),
}

/// The bucket did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("bucket: {0}")]
pub struct ObjectError(pub String);

/// The world as seen by an actor or a request. See the module's documentation.
pub trait Platform {
    /// The settings of this deployment.
    fn config(&self) -> Rc<ServerConfig>;

    /// Milliseconds since the epoch.
    fn now(&self) -> u64;

    /// Fills `bytes` from a cryptographically secure source.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Calls `actor` and returns its reply, still in its envelope (see [`crate::rpc`]).
    fn call<'a>(
        &'a self,
        actor: &'a ActorName,
        op: &'static str,
        body: String,
    ) -> LocalBoxFuture<'a, Result<String, CallError>>;

    /// Makes a request to another server.
    fn fetch(&self, request: OutboundRequest) -> LocalBoxFuture<'_, Result<OutboundResponse, FetchError>>;

    /// Makes a request to another server, whose answer may be too large to be held. Of the request's
    /// bounds, the time is that until the answer begins, and that between its pieces.
    fn open(&self, request: OutboundRequest) -> LocalBoxFuture<'_, Result<OutboundStream, FetchError>> {
        async move {
            let OutboundResponse { status, headers, body } = self.fetch(request).await?;
            Ok(OutboundStream { status, headers, body: stream::iter([Ok(body)]).boxed_local() })
        }
        .boxed_local()
    }

    /// Puts an object into the bucket.
    fn put_object(
        &self,
        key: String,
        content_type: String,
        bytes: Vec<u8>,
    ) -> LocalBoxFuture<'_, Result<(), ObjectError>>;

    /// Removes objects from the bucket: at most 1000, which need not be there.
    fn delete_objects(&self, keys: Vec<String>) -> LocalBoxFuture<'_, Result<(), ObjectError>>;

    /// Gives an object of the bucket another key, in place of whatever has that; nothing happens when there is none.
    fn move_object(&self, from: String, to: String) -> LocalBoxFuture<'_, Result<(), ObjectError>>;

    /// Lets `task` run on after the answer has been given.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>);

    /// Resolves after `milliseconds`.
    fn sleep(&self, milliseconds: u32) -> LocalBoxFuture<'static, ()>;

    /// Sets this actor's one alarm to the time `at`, in milliseconds since the epoch.
    fn set_alarm(&self, at: u64) -> LocalBoxFuture<'_, ()>;

    /// Waits at `actor` for what `request` describes, for at most `timeout_ms`.
    fn wait<'a>(
        &'a self,
        actor: &'a ActorName,
        request: String,
        timeout_ms: u32,
    ) -> LocalBoxFuture<'a, Result<Waited, CallError>>;

    /// Asks `frame` about each client of this actor that waits with `tag`, by the note that was left for it
    /// (empty if there was no room for one); what `frame` makes ends that client's waiting.
    fn notify(&self, tag: &str, frame: &mut dyn FnMut(&str) -> Option<String>);
}

/// How waiting at an actor ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// There was something: a reply, still in its envelope.
    Answer(String),
    /// Nothing came in time, or the actor was reset meanwhile: the reply for that case, in its envelope.
    Nothing(String),
    /// Who asked has gone.
    Gone,
}

/// Makes a request to another server; one that only reads, a second time at once if the connection is lost. It may be
/// one that was kept from before and that the other server, restarted since, knows nothing of.
pub async fn fetch(
    platform: &dyn Platform,
    mut request: OutboundRequest,
) -> Result<OutboundResponse, FetchError> {
    if request.method != http::Method::GET {
        return platform.fetch(request).await;
    }
    let begun = platform.now();
    let outcome = platform.fetch(request.clone()).await;
    let spent = u32::try_from(platform.now().saturating_sub(begun)).unwrap_or(u32::MAX);
    request.timeout_ms = request.timeout_ms.saturating_sub(spent);
    match outcome {
        Err(FetchError::Failed(_)) if request.timeout_ms > 0 => platform.fetch(request).await,
        outcome => outcome,
    }
}

/// `N` random bytes.
pub fn random<const N: usize>(platform: &dyn Platform) -> [u8; N] {
    let mut bytes = [0; N];
    platform.fill_random(&mut bytes);
    bytes
}
