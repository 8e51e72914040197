//! Administration, by the paths and forms of Synapse's admin API, so that its tools work here.

mod arguments;
pub mod dag;
pub mod destinations;
pub mod media;
mod media_avatars;
pub mod register;
pub mod registration_tokens;
pub mod reports;
pub mod room_media;
pub mod server_notices;
pub mod user_media;
pub mod users;

use http::Uri;
use selvedge_durable_objects::matrix_error::MatrixError;
use selvedge_protocol::json::ObjectWriter;
use serde::de::DeserializeOwned;

use crate::router::Incoming;

/// A parameter of the query.
fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A parameter that is a number from 0 on. `M_INVALID_PARAM`.
fn number(uri: &Uri, name: &str) -> Result<Option<u64>, MatrixError> {
    let parse = |text: String| text.parse().ok().filter(|number| *number < 1 << 53);
    let not_one = || MatrixError::invalid_param(format!("{name} is a number from 0 on"));
    query(uri, name).map(|text| parse(text).ok_or_else(not_one)).transpose()
}

/// Adds a text, or null when there is none.
fn add_text(object: &mut ObjectWriter, name: &str, text: Option<&str>) {
    match text {
        Some(text) => object.string(name, text),
        None => object.member(name, "null"),
    }
}

/// Adds what JSON writes as we do: numbers and truth values.
fn add(object: &mut ObjectWriter, name: &str, value: impl std::fmt::Display) {
    object.member(name, &value.to_string());
}

/// The same, or null when there is none.
fn add_or_null(object: &mut ObjectWriter, name: &str, value: Option<impl std::fmt::Display>) {
    match value {
        Some(value) => add(object, name, value),
        None => object.member(name, "null"),
    }
}

/// The body. `M_BAD_JSON`.
fn body<T: DeserializeOwned>(incoming: &Incoming) -> Result<T, MatrixError> {
    serde_json::from_slice(incoming.request.body()).map_err(|error| MatrixError::bad_json(error.to_string()))
}
