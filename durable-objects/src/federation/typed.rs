//! The typed ends of an exchange: how a request is written, and how its answer is read. There are many types, and between
//! the ends all requests are one.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::LocalBoxFuture, ready};
use ruma::api::{
    IncomingResponse, OutgoingBody, OutgoingRequest, error::IntoHttpError, path_builder::SinglePath,
};

use super::{FederationError, bad, without_nulls};
use crate::platform::OutboundResponse;

/// A request as it is sent, but for the server's place and its signature.
pub(super) fn written<R>(request: R) -> Result<http::Request<Vec<u8>>, IntoHttpError>
where
    R: OutgoingRequest<PathBuilder = SinglePath>,
{
    let (parts, body) = request.try_into_http_request_inner("", ())?.into_parts();
    let content_type = body.content_type();
    Ok(with_body(parts, content_type, body.try_into_buf().map_err(Into::into)?))
}

fn with_body(
    mut parts: http::request::Parts,
    content_type: Option<http::HeaderValue>,
    body: Vec<u8>,
) -> http::Request<Vec<u8>> {
    if let Some(content_type) = content_type {
        parts.headers.entry(http::header::CONTENT_TYPE).or_insert(content_type);
    }
    http::Request::from_parts(parts, body)
}

/// Another server's answer, on its way. All that differs from type to type is how its end is parsed.
#[must_use = "nothing is asked before it is awaited"]
pub struct Answer<'p, T> {
    server: &'p str,
    exchanged: LocalBoxFuture<'p, Result<OutboundResponse, FederationError>>,
    of: PhantomData<fn() -> T>,
}

impl<'p, T> Answer<'p, T> {
    /// What `server` answers in an exchange.
    pub(super) fn new(
        server: &'p str,
        exchanged: LocalBoxFuture<'p, Result<OutboundResponse, FederationError>>,
    ) -> Self {
        Self { server, exchanged, of: PhantomData }
    }
}

impl<T: IncomingResponse> Future for Answer<'_, T> {
    type Output = Result<T, FederationError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(self.exchanged.poll_unpin(context)) {
            Ok(response) => Poll::Ready(read(self.server, &response)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

fn read<T: IncomingResponse>(server: &str, response: &OutboundResponse) -> Result<T, FederationError> {
    let read = |body: &[u8]| {
        T::try_from_http_response_inner(with_headers(response, body)).map_err(|error| bad(server, &error))
    };
    let error = match read(&response.body) {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    without_nulls(&response.body).map_or(Err(error), |body| read(body.as_bytes()))
}

/// The response as ruma takes it, with another body.
fn with_headers<'b>(response: &OutboundResponse, body: &'b [u8]) -> http::Response<&'b [u8]> {
    let mut answer = http::Response::new(body);
    for (name, value) in &response.headers {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value))
        {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}
