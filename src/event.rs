//! The fetch event: the platform's request in, its response out.
//!
//! Requests are translated by hand, for the worker crate's own conversion is slow.

use std::{panic::AssertUnwindSafe, rc::Rc};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use js_sys::{Array, Uint8Array};
use selvedge_durable_objects::{config, ledger, log, matrix_error::MatrixError, platform::WorkersPlatform};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, ResponseInit};
use worker::{Context, Env};

use crate::{
    answer::{self, Answer},
    context::{Ctx, Peer},
    media::store::Store,
    metrics, peer,
    router::{Action, Incoming, NoRoute, Route, Router, Streamed},
};

thread_local! {
    static ROUTER: Rc<Router> = Rc::new(Router::new());
}

/// Handles one request.
#[wasm_bindgen]
pub async fn fetch(
    request: web_sys::Request,
    env: JsValue,
    context: JsValue,
) -> Result<web_sys::Response, JsValue> {
    // What a panic here leaves behind belongs to this request alone.
    AssertUnwindSafe(handle(request, env, context)).await
}

async fn handle(
    request: web_sys::Request,
    env: JsValue,
    context: JsValue,
) -> Result<web_sys::Response, JsValue> {
    let _open = metrics::OpenRequest::new();
    let env: Env = env.unchecked_into();
    let context = Rc::new(Context::new(context.unchecked_into()));
    let config = match config::of_env(&env) {
        Ok(config) => config,
        Err(error) => return respond(answer::from_error(&MatrixError::internal(error.to_string()))),
    };
    let method = Method::from_bytes(request.method().as_bytes()).unwrap_or_default();
    if method == Method::OPTIONS {
        return respond(Answer::Http(http::Response::new(Vec::new())));
    }
    let url = request.url();
    let (base_url, target) = split_url(&url);
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let found = ROUTER.with(Rc::clone).find(&method, path);
    let (route, path_args) = match found {
        Ok(found) => found,
        Err(NoRoute::Path) => {
            return respond(answer::from_error(&MatrixError::unrecognized("Unrecognized request")));
        }
        Err(NoRoute::Method) => {
            return respond(answer::from_error(&MatrixError::wrong_method("Wrong method for this path")));
        }
    };
    let headers = header_map(&request.headers());
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let peer = Peer {
        address: peer::address(socket_address(&request).as_deref(), &headers),
        user_agent: text("user-agent"),
        base_url: base_url.to_owned(),
    };
    let media = Store::new(env.clone());
    let platform = Rc::new(WorkersPlatform::of_request(env, Rc::clone(&config), context, request.signal()));
    let ctx = Ctx { platform, config, peer: Rc::new(peer), media };
    let template = route.template;
    let (answer, cost) =
        ledger::scoped(act(ctx, route, request, method.clone(), target, headers, path_args)).await;
    let status = match &answer {
        Answer::Http(response) => response.status().as_u16(),
        Answer::Platform(response) => response.status(),
    };
    metrics::record(template, method.as_str(), status, cost);
    respond(answer)
}

async fn act(
    ctx: Ctx,
    route: Route,
    request: web_sys::Request,
    method: Method,
    target: &str,
    headers: HeaderMap,
    path_args: Vec<String>,
) -> Answer {
    let Ok(uri) = target.parse::<Uri>() else {
        return answer::from_error(&MatrixError::bad_request("The URL is not valid"));
    };
    let mut head = Request::new(Vec::new());
    *head.method_mut() = method;
    *head.uri_mut() = uri;
    *head.headers_mut() = headers;
    let handler = match route.action {
        Action::Streamed(handler) => {
            return handler(ctx, Streamed { head, raw: request, path_args }).await;
        }
        Action::Buffered(handler) => handler,
    };
    match read_body(&request, route.body_limit).await {
        Ok(body) => *head.body_mut() = body,
        Err(error) => return answer::from_error(&error),
    }
    let request = head;
    handler(ctx, Incoming { request, path_args }).await
}

/// The address at the other end of the socket, with its port. workerd alone tells it; Cloudflare says by
/// a header whom it speaks for.
fn socket_address(request: &web_sys::Request) -> Option<String> {
    let member = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &JsValue::from_str(name)).ok();
    member(&member(request, "cf")?, "clientIp")?.as_string()
}

/// Splits an absolute URL before its path.
fn split_url(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |scheme| scheme.saturating_add(3));
    let path =
        url.get(host..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| host.saturating_add(at));
    match (url.get(..path), url.get(path..)) {
        (Some(base), Some("")) => (base, "/"),
        (Some(base), Some(target)) => (base, target),
        _ => (url, "/"),
    }
}

fn header_map(headers: &web_sys::Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for entry in headers.entries().into_iter().flatten() {
        let pair: Array = entry.unchecked_into();
        let (Some(name), Some(value)) = (pair.get(0).as_string(), pair.get(1).as_string()) else { continue };
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            map.append(name, value);
        }
    }
    map
}

/// Reads a body of at most `limit` bytes.
async fn read_body(request: &web_sys::Request, limit: usize) -> Result<Vec<u8>, MatrixError> {
    let broken = |_: JsValue| MatrixError::bad_request("The body broke off");
    let Some(stream) = request.body() else { return Ok(Vec::new()) };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut body = Vec::new();
    loop {
        let chunk = JsFuture::from(reader.read()).await.map_err(broken)?;
        let field = |name: &str| js_sys::Reflect::get(&chunk, &JsValue::from_str(name)).map_err(broken);
        if field("done")?.is_truthy() {
            return Ok(body);
        }
        let bytes: Uint8Array = field("value")?.unchecked_into();
        let length = usize::try_from(bytes.length()).unwrap_or(usize::MAX);
        if body.len().saturating_add(length) > limit {
            // The rest is not wanted; whether the sender hears of it does not matter.
            let _ = reader.cancel();
            return Err(MatrixError::too_large(format!("The body is larger than {limit} bytes")));
        }
        body.extend_from_slice(&bytes.to_vec());
    }
}

/// Makes the platform's response, open to web clients of every origin `[C-S §2.2]`.
fn respond(answer: Answer) -> Result<web_sys::Response, JsValue> {
    let response = match answer {
        Answer::Platform(response) => response,
        Answer::Http(response) => {
            let headers = web_sys::Headers::new()?;
            for (name, value) in response.headers() {
                headers.append(name.as_str(), value.to_str().unwrap_or_default())?;
            }
            let init = ResponseInit::new();
            init.set_status(response.status().as_u16());
            init.set_headers(&headers);
            let body = response.into_body();
            let body = (!body.is_empty()).then(|| Uint8Array::from(body.as_slice()));
            web_sys::Response::new_with_opt_js_u8_array_and_init(body.as_ref(), &init)?
        }
    };
    let headers = response.headers();
    let cors = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, POST, PUT, DELETE, OPTIONS, HEAD"),
        ("access-control-allow-headers", "X-Requested-With, Content-Type, Authorization"),
        ("access-control-max-age", "86400"),
    ];
    for (name, value) in cors {
        if let Err(error) = headers.set(name, value) {
            log::warn("answer", &format!("header {name}: {error:?}"));
        }
    }
    Ok(response)
}
