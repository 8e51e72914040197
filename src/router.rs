//! Every route, in the specification's order, and the table that finds one.
//!
//! Paths and methods come from ruma's endpoint metadata. The table is a tree of path segments,
//! built once per isolate.

mod routes;
mod start;

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use http::{Method, Request};
use ruma::api::{IncomingRequest, Metadata, OutgoingResponse, path_builder::PathBuilder};
use selvedge_durable_objects::{matrix_error::MatrixError, sorted::SortedMap};

use self::start::{Plain, Typed};
use crate::{answer::Answer, context::Ctx, error::from_request_error, extract::FromRequest};

/// How much of a request's body most endpoints accept, in bytes.
const DEFAULT_BODY_LIMIT: usize = 1 << 20;

/// A request that was matched to a route: its body is read, its path arguments are percent-decoded.
pub struct Incoming {
    /// The request.
    pub request: Request<Vec<u8>>,
    /// The path's arguments in order.
    pub path_args: Vec<String>,
}

type Handler = Rc<dyn Fn(Ctx, Incoming) -> LocalBoxFuture<'static, Answer>>;

/// A request that was matched to a route, its body not read.
#[cfg(target_arch = "wasm32")]
pub struct Streamed {
    /// Method, URI and headers; no body.
    pub head: Request<Vec<u8>>,
    /// The platform's request, which has the body.
    pub raw: web_sys::Request,
    /// The path's arguments in order.
    pub path_args: Vec<String>,
}

/// A handler that reads and answers by the platform's own types, for bodies that stream.
#[cfg(target_arch = "wasm32")]
type StreamHandler = Rc<dyn Fn(Ctx, Streamed) -> LocalBoxFuture<'static, Answer>>;

/// What to do with a request of one method and path.
#[derive(Clone)]
pub enum Action {
    /// Read the body, then call.
    Buffered(Handler),
    /// Call at once.
    #[cfg(target_arch = "wasm32")]
    Streamed(StreamHandler),
}

/// One method of one path.
#[derive(Clone)]
pub struct Route {
    /// The path with its variables, by which metrics name the route.
    pub template: &'static str,
    /// The largest accepted body in bytes.
    pub body_limit: usize,
    /// What to do.
    pub action: Action,
}

/// Why there is no route.
#[derive(Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing has this path.
    Path,
    /// Something has this path, by another method.
    Method,
}

#[derive(Default)]
struct Node {
    fixed: SortedMap<&'static str, Node>,
    variable: Option<Box<Node>>,
    methods: Vec<(Method, Route)>,
}

/// The table of routes.
#[derive(Default)]
pub struct Router {
    root: Node,
}

impl Router {
    /// The whole server.
    pub fn new() -> Self {
        let mut router = Self::default();
        routes::add_all(&mut router);
        router
    }

    /// Adds `handler` at every path of its request type's metadata.
    pub fn add<A, R, O, F>(&mut self, handler: impl Fn(Ctx, A, R) -> F + 'static)
    where
        A: FromRequest + 'static,
        R: IncomingRequest + Metadata + 'static,
        O: OutgoingResponse + 'static,
        F: Future<Output = Result<O, MatrixError>> + 'static,
    {
        self.add_with_limit(DEFAULT_BODY_LIMIT, handler);
    }

    /// The same, with a body limit in bytes of its own.
    pub fn add_with_limit<A, R, O, F>(
        &mut self,
        body_limit: usize,
        handler: impl Fn(Ctx, A, R) -> F + 'static,
    ) where
        A: FromRequest + 'static,
        R: IncomingRequest + Metadata + 'static,
        O: OutgoingResponse + 'static,
        F: Future<Output = Result<O, MatrixError>> + 'static,
    {
        let handler = start::typed(Box::new(Typed::new(handler)));
        self.insert_all(const { &R::METHOD }, R::PATH_BUILDER, body_limit, handler);
    }

    /// Adds `handler` at a path that ruma's metadata of `R` lacks: an older form, or one with a variable left out.
    pub fn add_at<A, R, O, F>(&mut self, template: &'static str, handler: impl Fn(Ctx, A, R) -> F + 'static)
    where
        A: FromRequest + 'static,
        R: IncomingRequest + Metadata + 'static,
        O: OutgoingResponse + 'static,
        F: Future<Output = Result<O, MatrixError>> + 'static,
    {
        let handler = start::typed(Box::new(Typed::new(handler)));
        self.insert(const { &R::METHOD }, template, DEFAULT_BODY_LIMIT, Action::Buffered(handler));
    }

    /// Adds a handler for an endpoint that ruma does not have; it gets the request as it is.
    pub fn add_plain<A, O, F>(
        &mut self,
        method: &Method,
        template: &'static str,
        handler: impl Fn(Ctx, A, Incoming) -> F + 'static,
    ) where
        A: FromRequest + 'static,
        O: OutgoingResponse + 'static,
        F: Future<Output = Result<O, MatrixError>> + 'static,
    {
        let handler = start::plain(|incoming| &incoming.request, Box::new(Plain(handler)));
        self.insert(method, template, DEFAULT_BODY_LIMIT, Action::Buffered(handler));
    }

    /// Adds a handler at every path of the metadata of `R`; it gets the request as it is, for it keeps more
    /// of it than ruma's type does, or tells faults apart that ruma does not.
    pub fn add_raw<R, A, O, F>(&mut self, handler: impl Fn(Ctx, A, Incoming) -> F + 'static)
    where
        R: Metadata,
        A: FromRequest + 'static,
        O: OutgoingResponse + 'static,
        F: Future<Output = Result<O, MatrixError>> + 'static,
    {
        let handler = start::plain(|incoming| &incoming.request, Box::new(Plain(handler)));
        self.insert_all(const { &R::METHOD }, R::PATH_BUILDER, DEFAULT_BODY_LIMIT, handler);
    }

    /// Adds a handler whose bodies stream.
    #[cfg(target_arch = "wasm32")]
    pub fn add_streamed<A, F>(
        &mut self,
        method: &Method,
        template: &'static str,
        handler: impl Fn(Ctx, A, Streamed) -> F + 'static,
    ) where
        A: FromRequest + 'static,
        F: Future<Output = Result<web_sys::Response, MatrixError>> + 'static,
    {
        let handler = start::plain(|request| &request.head, Box::new(start::Streaming(handler)));
        self.insert(method, template, usize::MAX, Action::Streamed(handler));
    }

    fn insert_all(&mut self, method: &Method, paths: impl PathBuilder, body_limit: usize, handler: Handler) {
        for template in paths.all_paths() {
            self.insert(method, template, body_limit, Action::Buffered(Rc::clone(&handler)));
        }
    }

    fn insert(&mut self, method: &Method, template: &'static str, body_limit: usize, action: Action) {
        let mut node = &mut self.root;
        for segment in segments(template) {
            node = if segment.starts_with('{') {
                node.variable.get_or_insert_default()
            } else {
                node.fixed.or_default(segment)
            };
        }
        node.methods.push((method.clone(), Route { template, body_limit, action }));
    }

    /// The route of `method` and `path` (still percent-encoded), with the path's arguments.
    /// `HEAD` goes where `GET` goes.
    pub fn find(&self, method: &Method, path: &str) -> Result<(Route, Vec<String>), NoRoute> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let path: Vec<&str> = segments(path).collect();
        let mut arguments = Vec::new();
        let mut seen = NoRoute::Path;
        descend(&self.root, &path, method, &mut arguments, &mut seen)
            .map(|route| (route.clone(), arguments.iter().map(|argument| decode(argument)).collect()))
            .ok_or(seen)
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

fn decode(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Depth-first, a fixed segment before a variable: `/a/b` wins over `/a/{x}`.
fn descend<'n, 'p>(
    node: &'n Node,
    path: &[&'p str],
    method: &Method,
    arguments: &mut Vec<&'p str>,
    seen: &mut NoRoute,
) -> Option<&'n Route> {
    let Some((&segment, rest)) = path.split_first() else {
        if !node.methods.is_empty() {
            *seen = NoRoute::Method;
        }
        return node.methods.iter().find(|(of, _)| of == method).map(|(_, route)| route);
    };
    if let Some(next) = node.fixed.get(segment)
        && let Some(route) = descend(next, rest, method, arguments, seen)
    {
        return Some(route);
    }
    let next = node.variable.as_deref()?;
    arguments.push(segment);
    let route = descend(next, rest, method, arguments, seen);
    if route.is_none() {
        arguments.pop();
    }
    route
}

/// The typed request, of what was routed by its metadata.
pub fn parse<R: IncomingRequest>(incoming: &Incoming) -> Result<R, MatrixError> {
    let path_args: Vec<&str> = incoming.path_args.iter().map(String::as_str).collect();
    R::try_from_http_request_inner(borrowed(incoming), &path_args).map_err(from_request_error)
}

fn borrowed(incoming: &Incoming) -> Request<&[u8]> {
    let mut request = Request::new(incoming.request.body().as_slice());
    *request.method_mut() = incoming.request.method().clone();
    *request.uri_mut() = incoming.request.uri().clone();
    *request.headers_mut() = incoming.request.headers().clone();
    request
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn route(method: &Method, path: &str) -> Result<(&'static str, Vec<String>), NoRoute> {
        Router::new().find(method, path).map(|(route, arguments)| (route.template, arguments))
    }

    #[test]
    fn a_known_path_is_routed() {
        assert_eq!(route(&Method::GET, "/_matrix/client/versions").unwrap().0, "/_matrix/client/versions");
    }

    #[test]
    fn an_unknown_path_has_no_route() {
        assert_eq!(route(&Method::GET, "/_matrix/client/nothing"), Err(NoRoute::Path));
    }

    #[test]
    fn a_known_path_with_another_method_is_told_apart() {
        assert_eq!(route(&Method::DELETE, "/_matrix/client/versions"), Err(NoRoute::Method));
    }
}
