//! What makes one kind of handler of all: there are hundreds, so that little may be compiled for each of them.

use std::{
    marker::PhantomData,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::LocalBoxFuture};
use http::Request;
use ruma::api::{IncomingRequest, OutgoingResponse, error::DeserializationError};
use selvedge_durable_objects::matrix_error::MatrixError;

#[cfg(target_arch = "wasm32")]
use super::Streamed;
use super::{Handler, Incoming, borrowed};
use crate::{
    answer::{self, Answer},
    context::Ctx,
    error::from_request_error,
    extract::FromRequest,
};

/// Who asks, proven, and in what circumstances.
pub struct Asker<A> {
    ctx: Ctx,
    auth: A,
}

/// A handler of typed requests.
pub trait StartTyped<A> {
    /// Reads the rest of a request that was authenticated, and calls the handler.
    fn start(
        &self,
        asker: Asker<A>,
        request: Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<LocalBoxFuture<'static, Answer>, DeserializationError>;
}

/// A handler of requests as they are: with their body read, or not.
pub trait StartPlain<A, I> {
    /// Calls the handler.
    fn start(&self, asker: Asker<A>, incoming: I) -> LocalBoxFuture<'static, Answer>;
}

/// A handler function of requests of type `R`.
pub struct Typed<H, R> {
    handler: H,
    of: PhantomData<fn(R)>,
}

impl<H, R> Typed<H, R> {
    /// Of this function.
    pub fn new(handler: H) -> Self {
        Self { handler, of: PhantomData }
    }
}

impl<A, R, O, F, H> StartTyped<A> for Typed<H, R>
where
    R: IncomingRequest,
    O: OutgoingResponse + 'static,
    F: Future<Output = Result<O, MatrixError>> + 'static,
    H: Fn(Ctx, A, R) -> F,
{
    fn start(
        &self,
        asker: Asker<A>,
        request: Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<LocalBoxFuture<'static, Answer>, DeserializationError> {
        // The router has looked at the method.
        let request = R::try_from_http_request_inner(request, path_args)?;
        Ok(answering((self.handler)(asker.ctx, asker.auth, request)))
    }
}

/// A handler function of requests as they are.
pub struct Plain<H>(pub H);

impl<A, O, F, H> StartPlain<A, Incoming> for Plain<H>
where
    O: OutgoingResponse + 'static,
    F: Future<Output = Result<O, MatrixError>> + 'static,
    H: Fn(Ctx, A, Incoming) -> F,
{
    fn start(&self, asker: Asker<A>, incoming: Incoming) -> LocalBoxFuture<'static, Answer> {
        answering((self.0)(asker.ctx, asker.auth, incoming))
    }
}

/// A handler function of requests whose bodies stream.
#[cfg(target_arch = "wasm32")]
pub struct Streaming<H>(pub H);

#[cfg(target_arch = "wasm32")]
impl<A, F, H> StartPlain<A, Streamed> for Streaming<H>
where
    F: Future<Output = Result<web_sys::Response, MatrixError>> + 'static,
    H: Fn(Ctx, A, Streamed) -> F,
{
    fn start(&self, asker: Asker<A>, request: Streamed) -> LocalBoxFuture<'static, Answer> {
        (self.0)(asker.ctx, asker.auth, request).boxed_local().map(answer::from_platform).boxed_local()
    }
}

/// A handler's answer on its way: boxed, so that only how its end is written is compiled for each type of answer.
struct Answering<O>(LocalBoxFuture<'static, Result<O, MatrixError>>);

impl<O: OutgoingResponse> Future for Answering<O> {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        self.0.poll_unpin(context).map(answer::from_result)
    }
}

fn answering<O, F>(answer: F) -> LocalBoxFuture<'static, Answer>
where
    O: OutgoingResponse + 'static,
    F: Future<Output = Result<O, MatrixError>> + 'static,
{
    Answering(answer.boxed_local()).boxed_local()
}

/// The handler of all requests with one kind of authentication.
pub fn typed<A: FromRequest + 'static>(start: Box<dyn StartTyped<A>>) -> Handler {
    let start = Rc::new(start);
    Rc::new(move |ctx, incoming: Incoming| {
        let start = Rc::clone(&start);
        let started = async move {
            if std::str::from_utf8(incoming.request.body()).is_err() {
                return Err(MatrixError::not_json("The body is not UTF-8"));
            }
            let auth = A::from_request(&ctx, &incoming.request).await?;
            let path_args: Vec<&str> = incoming.path_args.iter().map(String::as_str).collect();
            start.start(Asker { ctx, auth }, borrowed(&incoming), &path_args).map_err(from_request_error)
        };
        finish(started).boxed_local()
    })
}

/// The same, of requests as they are.
pub fn plain<A: FromRequest + 'static, I: 'static>(
    head: fn(&I) -> &Request<Vec<u8>>,
    start: Box<dyn StartPlain<A, I>>,
) -> Rc<dyn Fn(Ctx, I) -> LocalBoxFuture<'static, Answer>> {
    let start = Rc::new(start);
    Rc::new(move |ctx, incoming| {
        let start = Rc::clone(&start);
        let started = async move {
            let auth = A::from_request(&ctx, head(&incoming)).await?;
            Ok(start.start(Asker { ctx, auth }, incoming))
        };
        finish(started).boxed_local()
    })
}

async fn finish(
    started: impl Future<Output = Result<LocalBoxFuture<'static, Answer>, MatrixError>>,
) -> Answer {
    match started.await {
        Ok(answering) => answering.await,
        Err(error) => answer::from_error(&error),
    }
}
