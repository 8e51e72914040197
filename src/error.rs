//! From ruma's errors about a request to Matrix errors.

use ruma::api::error::DeserializationError;
use selvedge_durable_objects::matrix_error::MatrixError;
use serde_json::error::Category;

/// The Matrix error for a request that does not have the endpoint's form `[C-S §2.1]`.
pub fn from_request_error(error: DeserializationError) -> MatrixError {
    let text = error.to_string();
    match error {
        DeserializationError::Json(json) => match json.classify() {
            Category::Data => MatrixError::bad_json(text),
            Category::Syntax | Category::Eof | Category::Io => MatrixError::not_json(text),
        },
        DeserializationError::Utf8(_) => MatrixError::not_json(text),
        DeserializationError::Query(_) if text.starts_with("missing field") => {
            MatrixError::missing_param(text)
        }
        _ => MatrixError::invalid_param(text),
    }
}
