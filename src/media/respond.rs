//! Answers with content: the headers that say what it is and keep browsers from running it.

use http::Request;
use selvedge_durable_objects::matrix_error::MatrixError;
use wasm_bindgen::JsValue;
use web_sys::{Headers, ReadableStream, Response, ResponseInit};

use super::{
    disposition::content_disposition,
    range::{self, Part, Wanted},
    store::{Facts, Store},
};

/// What a browser may do with content that it shows `[C-S §11.7]`.
const CONTENT_SECURITY_POLICY: &str = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; \
    style-src 'unsafe-inline'; object-src 'self';";
/// Content never changes; only who has the token may have it.
const CACHE_CONTROL: &str = "private, max-age=31536000, immutable";
/// The type of content that came without one.
pub const DEFAULT_TYPE: &str = "application/octet-stream";

/// The platform did not take what was made for it.
pub fn unmade(error: JsValue) -> MatrixError {
    MatrixError::internal(format!("The answer could not be made: {error:?}"))
}

/// The headers of content.
pub fn headers(facts: &Facts, etag: Option<&str>) -> Result<Headers, JsValue> {
    let content_type = facts.content_type.as_deref().unwrap_or(DEFAULT_TYPE);
    let headers = Headers::new()?;
    headers.set("content-type", content_type)?;
    headers.set("content-disposition", &content_disposition(content_type, facts.file_name.as_deref()))?;
    headers.set("content-security-policy", CONTENT_SECURITY_POLICY)?;
    headers.set("cross-origin-resource-policy", "cross-origin")?;
    headers.set("x-content-type-options", "nosniff")?;
    headers.set("cache-control", CACHE_CONTROL)?;
    if let Some(etag) = etag {
        headers.set("etag", etag)?;
    }
    Ok(headers)
}

/// A response of the platform.
pub fn response(
    status: u16,
    headers: &Headers,
    body: Option<&ReadableStream>,
) -> Result<Response, MatrixError> {
    let init = ResponseInit::new();
    init.set_status(status);
    init.set_headers(headers);
    Response::new_with_opt_readable_stream_and_init(body, &init).map_err(unmade)
}

/// A response with JSON.
pub fn json(body: &serde_json::Value) -> Result<Response, MatrixError> {
    let headers = Headers::new().map_err(unmade)?;
    headers.set("content-type", "application/json").map_err(unmade)?;
    let init = ResponseInit::new();
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(Some(&body.to_string()), &init).map_err(unmade)
}

/// Serves an object as `request` wants it: all, a part, or the word that it has not changed. `None` when there is
/// no such object, or `shown` refuses it by what it sees; `shown` may change how it is served.
pub async fn object(
    store: &Store,
    key: &str,
    request: &Request<Vec<u8>>,
    shown: impl FnOnce(&mut Facts) -> bool,
) -> Result<Option<Response>, MatrixError> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (known, range) = (header("if-none-match"), header("range"));
    if request.method() != http::Method::HEAD && known.is_none() && range.is_none() {
        return whole(store, key, shown).await;
    }
    let Some(mut described) = store.head(key).await? else { return Ok(None) };
    if !shown(&mut described.facts) {
        return Ok(None);
    }
    let (size, etag) = (described.size, described.etag.as_str());
    let headers = headers(&described.facts, Some(etag)).map_err(unmade)?;
    if known.is_some_and(|known| range::names(known, etag)) {
        return response(304, &headers, None).map(Some);
    }
    headers.set("accept-ranges", "bytes").map_err(unmade)?;
    if request.method() == http::Method::HEAD {
        headers.set("content-length", &size.to_string()).map_err(unmade)?;
        return response(200, &headers, None).map(Some);
    }
    let range = range.filter(|_| header("if-range").is_none_or(|version| version == etag));
    let (status, part) = match range::wanted(range, size) {
        Wanted::Whole => (200, None),
        Wanted::Part(part) => (206, Some(part)),
        Wanted::Unsatisfiable => {
            headers.set("content-range", &format!("bytes */{size}")).map_err(unmade)?;
            return response(416, &headers, None).map(Some);
        }
    };
    let Some((_, body)) = store.get(key, part).await? else { return Ok(None) };
    let Part { offset, length } = part.unwrap_or(Part { offset: 0, length: size });
    headers.set("content-length", &length.to_string()).map_err(unmade)?;
    if part.is_some() {
        let last = offset.saturating_add(length).saturating_sub(1);
        headers.set("content-range", &format!("bytes {offset}-{last}/{size}")).map_err(unmade)?;
    }
    response(status, &headers, Some(&body)).map(Some)
}

async fn whole(
    store: &Store,
    key: &str,
    shown: impl FnOnce(&mut Facts) -> bool,
) -> Result<Option<Response>, MatrixError> {
    let Some((mut described, body)) = store.get(key, None).await? else { return Ok(None) };
    if !shown(&mut described.facts) {
        return Ok(None);
    }
    let headers = headers(&described.facts, Some(&described.etag)).map_err(unmade)?;
    headers.set("accept-ranges", "bytes").map_err(unmade)?;
    headers.set("content-length", &described.size.to_string()).map_err(unmade)?;
    response(200, &headers, Some(&body)).map(Some)
}
