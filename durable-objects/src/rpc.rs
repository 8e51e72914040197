//! How the edge and the actors speak: one command type and one reply type for each thing that an
//! actor can be asked, in a submodule per actor.
//!
//! A command travels as its name and its text (see [`wire`]). A reply is a line with what it cost, then its text. JSON
//! that is meant for a client is text within: it passes through without being parsed.
//!
//! ```text
//! ok CALLS ROWS_READ ROWS_WRITTEN
//! "17:{"event_id":"$"}
//! ```

pub mod as_json;
pub mod directory;
pub mod media_index;
pub mod remote_server;
pub mod room;
pub mod sync_token;
pub mod user;
mod wire;

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

pub use self::as_json::AsJson;
use self::wire::WireError;
use futures_util::{FutureExt, future::LocalBoxFuture, ready};
use ruma::{OwnedRoomId, OwnedServerName};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ledger::{self, Ledger},
    matrix_error::MatrixError,
    platform::{ActorKind, ActorName, Platform, Waited},
};

/// A class of actors, as callers see it.
pub trait Actor {
    /// The class.
    const KIND: ActorKind;
    /// What names one of them.
    type Key: ?Sized;

    /// The one place that maps a key to the object's name.
    fn object_name(key: &Self::Key) -> String;
}

macro_rules! actors {
    ($($(#[$doc:meta])* $actor:ident($key:ty) = $name:expr;)+) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub enum $actor {}

        impl Actor for $actor {
            const KIND: ActorKind = ActorKind::$actor;
            type Key = $key;

            fn object_name(key: &$key) -> String {
                let name: fn(&$key) -> String = $name;
                name(key)
            }
        })+
    };
}

actors! {
    /// A room, named by its id.
    Room(OwnedRoomId) = |id| id.to_string();
    /// A local user, named by localpart.
    User(str) = str::to_owned;
    /// The one directory.
    Directory(()) = |()| "directory".to_owned();
    /// Another homeserver, named by its server name.
    RemoteServer(OwnedServerName) = |name| name.to_string();
    /// An application service, named by its registration's id.
    AppService(str) = str::to_owned;
    /// The one index of media.
    MediaIndex(()) = |()| "media-index".to_owned();
}

/// Something that an actor can be asked.
pub trait Command: Serialize + DeserializeOwned {
    /// Who is asked.
    type Actor: Actor;
    /// What it answers.
    type Reply: Serialize + DeserializeOwned;
    /// The command's name on the wire.
    const OP: &'static str;
}

/// Says which actor takes a command and what it replies.
#[macro_export]
macro_rules! command {
    ($command:ident to $actor:ident -> $reply:ty) => {
        impl $crate::rpc::Command for $command {
            type Actor = $crate::rpc::$actor;
            type Reply = $reply;
            const OP: &'static str = stringify!($command);
        }
    };
}

/// Sends `command` to the actor named by `key` and waits for the reply.
pub fn call<'p, C: Command>(
    platform: &'p dyn Platform,
    key: &<C::Actor as Actor>::Key,
    command: &C,
) -> Reply<'p, C::Reply> {
    let actor = ActorName { kind: C::Actor::KIND, name: C::Actor::object_name(key) };
    Reply { payload: ask(platform, actor, C::OP, write(command)), of: PhantomData }
}

/// An actor's reply, on its way. All that differs from command to command is how its end is parsed: there are many commands.
#[must_use = "nothing is asked before it is awaited"]
pub struct Reply<'p, R> {
    payload: LocalBoxFuture<'p, Result<String, MatrixError>>,
    of: PhantomData<fn() -> R>,
}

impl From<WireError> for MatrixError {
    #[cold]
    #[inline(never)]
    fn from(error: WireError) -> Self {
        crate::log::error("rpc", &error.to_string());
        Self::internal("A message between actors was not understood")
    }
}

impl<R: DeserializeOwned> Future for Reply<'_, R> {
    type Output = Result<R, MatrixError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(self.payload.poll_unpin(context)) {
            Ok(payload) => Poll::Ready(read(&payload)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// A command or a reply as it travels. Compiled once for each type, not at each of its uses.
#[inline(never)]
pub fn write<T: Serialize>(message: &T) -> Result<String, MatrixError> {
    Ok(wire::to_text(message)?)
}

/// The reverse of [`write`].
#[inline(never)]
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, MatrixError> {
    Ok(wire::from_text(text)?)
}

fn ask<'p>(
    platform: &'p dyn Platform,
    actor: ActorName,
    op: &'static str,
    body: Result<String, MatrixError>,
) -> LocalBoxFuture<'p, Result<String, MatrixError>> {
    async move {
        let mut reply = platform.call(&actor, op, body?).await.map_err(|error| {
            crate::log::error("rpc", &error.to_string());
            MatrixError::internal("A part of the server did not answer")
        })?;
        let head = settle(&reply)?;
        Ok(reply.split_off(head))
    }
    .boxed_local()
}

/// How waiting for a reply ended.
#[derive(Debug)]
pub enum Awaited<R> {
    /// The reply.
    Reply(R),
    /// Nothing came in time: the reply for that case.
    Nothing(R),
    /// Who asked has gone.
    Gone,
}

/// Asks the actor named by `key` to answer `command` once there is something, within `timeout_ms`.
pub async fn wait<C: Command>(
    platform: &dyn Platform,
    key: &<C::Actor as Actor>::Key,
    command: &C,
    timeout_ms: u32,
) -> Result<Awaited<C::Reply>, MatrixError> {
    let actor = ActorName { kind: C::Actor::KIND, name: C::Actor::object_name(key) };
    let waited = platform.wait(&actor, write(command)?, timeout_ms).await;
    match waited {
        Ok(Waited::Answer(reply)) => open(&reply).map(Awaited::Reply),
        Ok(Waited::Nothing(reply)) => open(&reply).map(Awaited::Nothing),
        Ok(Waited::Gone) => Ok(Awaited::Gone),
        Err(error) => {
            crate::log::error("rpc", &error.to_string());
            Err(MatrixError::internal("A part of the server did not answer"))
        }
    }
}

/// Opens a reply and parses what it carries.
fn open<R: DeserializeOwned>(reply: &str) -> Result<R, MatrixError> {
    let head = settle(reply)?;
    read(reply.get(head..).unwrap_or_default())
}

/// Adds a reply's cost to the ledger; gives where its payload begins, or the error that it carries.
fn settle(reply: &str) -> Result<usize, MatrixError> {
    let garbled = || MatrixError::internal("A reply between actors was not understood");
    let (_, payload) = reply.split_once('\n').ok_or_else(garbled)?;
    let outcome = add_cost(reply).ok_or_else(garbled)?;
    if outcome == "ok" {
        return Ok(reply.len().saturating_sub(payload.len()));
    }
    Err(read(payload)?)
}

/// Adds the cost that the first line of a reply tells to the ledger, and returns the outcome that it tells.
pub(crate) fn add_cost(reply: &str) -> Option<&str> {
    let head = reply.lines().next()?;
    let mut words = head.split(' ');
    let outcome = words.next()?;
    let mut number = || words.next().and_then(|word| word.parse().ok());
    ledger::add(Ledger { calls: number()?, rows_read: number()?, rows_written: number()? });
    Some(outcome)
}

/// Runs the handler of a command with a ledger of its own and makes the reply's text.
pub async fn serve(handler: impl Future<Output = Result<String, MatrixError>>) -> String {
    let (outcome, cost) = ledger::scoped(handler).await;
    enclose(outcome, cost)
}

/// Makes a reply's text.
pub fn enclose(outcome: Result<String, MatrixError>, cost: Ledger) -> String {
    let (word, payload) = match outcome {
        Ok(payload) => ("ok", payload),
        Err(error) => ("err", write(&error).unwrap_or_default()),
    };
    format!("{word} {} {} {}\n{payload}", cost.calls, cost.rows_read, cost.rows_written)
}

/// Maps each command's name to the method of an engine that handles it: `sync` for those that
/// return at once, `async` for those that return a future. An engine is held as `Rc<Self>`.
#[macro_export]
macro_rules! dispatch {
    ($engine:expr, $op:expr, $body:expr, { $($kind:tt $command:ty => $method:ident,)* }) => {
        match $op {
            $(<$command as $crate::rpc::Command>::OP => {
                let command: $command = $crate::rpc::read($body)?;
                let reply: <$command as $crate::rpc::Command>::Reply =
                    $crate::dispatch!(@$kind $engine.$method(command))?;
                $crate::rpc::write(&reply)
            })*
            other => Err($crate::matrix_error::MatrixError::internal(format!("unknown command {other}"))),
        }
    };
    (@sync $call:expr) => { $call };
    (@async $call:expr) => { $call.await };
}
