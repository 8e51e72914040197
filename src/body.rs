//! A request's typed form together with what it was read from, for endpoints that pass on what they do not know.

use http::{Method, Request};
use ruma::api::{
    IncomingRequest, Metadata,
    client::{
        directory::set_room_visibility::v3 as set_room_visibility,
        typing::create_typing_event::v3 as create_typing_event,
    },
    error::DeserializationError,
};
use serde_json::{Map, Value};

/// A wrapper is the same endpoint as the request in it.
macro_rules! same_endpoint {
    ($($wrapper:ident)*) => {
        $(impl<R: Metadata> Metadata for $wrapper<R> {
            const METHOD: Method = R::METHOD;
            const RATE_LIMITED: bool = R::RATE_LIMITED;
            type Authentication = R::Authentication;
            type PathBuilder = R::PathBuilder;
            const PATH_BUILDER: Self::PathBuilder = R::PATH_BUILDER;
        })*
    };
}

same_endpoint! { WithBody WithQuery Completed }

/// A request and its body. An absent body counts as `{}`, for clients send none where nothing is required.
pub struct WithBody<R> {
    /// The request.
    pub request: R,
    /// The members of its body.
    pub body: Map<String, Value>,
}

/// A body; an absent one counts as an empty object.
fn or_empty(body: &[u8]) -> &[u8] {
    if body.is_empty() { b"{}" } else { body }
}

impl<R: IncomingRequest> IncomingRequest for WithBody<R> {
    type EndpointError = R::EndpointError;
    type OutgoingResponse = R::OutgoingResponse;

    fn try_from_http_request_inner(
        request: Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<Self, DeserializationError> {
        let (parts, body) = request.into_parts();
        let body = or_empty(body);
        let members = serde_json::from_slice(body)?;
        let request = R::try_from_http_request_inner(Request::from_parts(parts, body), path_args)?;
        Ok(Self { request, body: members })
    }
}

/// A request whose body may leave out what has a default in the specification, and none in ruma.
pub struct Completed<R>(pub R);

/// See [`Completed`].
pub trait Defaults {
    /// The member that may be left out.
    const MEMBER: &'static str;

    /// What it then is.
    fn default_value() -> Value;
}

impl Defaults for create_typing_event::Request {
    const MEMBER: &'static str = "timeout";

    fn default_value() -> Value {
        Value::from(30_000)
    }
}

impl Defaults for set_room_visibility::Request {
    const MEMBER: &'static str = "visibility";

    fn default_value() -> Value {
        Value::from("public")
    }
}

impl<R: IncomingRequest + Defaults> IncomingRequest for Completed<R> {
    type EndpointError = R::EndpointError;
    type OutgoingResponse = R::OutgoingResponse;

    fn try_from_http_request_inner(
        request: Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<Self, DeserializationError> {
        let (parts, body) = request.into_parts();
        let mut members: Map<String, Value> = serde_json::from_slice(or_empty(body))?;
        members.entry(R::MEMBER).or_insert_with(R::default_value);
        let body = serde_json::to_vec(&members)?;
        R::try_from_http_request_inner(Request::from_parts(parts, body.as_slice()), path_args).map(Self)
    }
}

/// A request and its query, for parameters with members that ruma does not know.
pub struct WithQuery<R> {
    /// The request.
    pub request: R,
    /// The query's parameters, decoded.
    pub query: Vec<(String, String)>,
}

impl<R> WithQuery<R> {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl<R: IncomingRequest> IncomingRequest for WithQuery<R> {
    type EndpointError = R::EndpointError;
    type OutgoingResponse = R::OutgoingResponse;

    fn try_from_http_request_inner(
        request: Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<Self, DeserializationError> {
        let query = request.uri().query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self { request: R::try_from_http_request_inner(request, path_args)?, query })
    }
}

/// The same, of a timeline's page, whose direction counts as forward where the client leaves it out: so who may not read
/// the room hears that, and nothing of parameters.
pub struct Paged<R>(pub WithQuery<R>);

impl<R: Metadata> Metadata for Paged<R> {
    const METHOD: Method = R::METHOD;
    const RATE_LIMITED: bool = R::RATE_LIMITED;
    type Authentication = R::Authentication;
    type PathBuilder = R::PathBuilder;
    const PATH_BUILDER: Self::PathBuilder = R::PATH_BUILDER;
}

impl<R: IncomingRequest> IncomingRequest for Paged<R> {
    type EndpointError = R::EndpointError;
    type OutgoingResponse = R::OutgoingResponse;

    fn try_from_http_request_inner(
        mut request: Request<&[u8]>,
        path_args: &[&str],
    ) -> Result<Self, DeserializationError> {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "dir") {
            let with_direction = format!("{}?dir=f&{query}", uri.path()).parse();
            *request.uri_mut() = with_direction.unwrap_or_else(|_| uri.clone());
        }
        WithQuery::try_from_http_request_inner(request, path_args).map(Self)
    }
}
