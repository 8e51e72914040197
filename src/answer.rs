//! Answers: what a handler gives back, before it becomes the platform's response.

use std::convert::Infallible;

use http::{HeaderValue, Response, header, response::Parts};
use ruma::{
    api::{OutgoingBody, OutgoingResponse, error::IntoHttpError},
    exports::bytes::BufMut,
};
use selvedge_durable_objects::matrix_error::MatrixError;
use selvedge_protocol::json::ObjectWriter;

/// A finished answer.
pub enum Answer {
    /// Status, headers and body.
    Http(Response<Vec<u8>>),
    /// A response that the platform streams.
    #[cfg(target_arch = "wasm32")]
    Platform(web_sys::Response),
}

/// Makes the answer of a handler's result.
pub fn from_result<R: OutgoingResponse>(result: Result<R, MatrixError>) -> Answer {
    from_written(result.map(write))
}

/// All of `try_into_http_response` that is not the same for all types of answers.
fn write<R: OutgoingResponse>(answer: R) -> Written {
    let (parts, body) = answer.try_into_http_response_inner()?.into_parts();
    let content_type = body.content_type();
    Ok((parts, content_type, body.try_into_buf().map_err(Into::into)?))
}

/// Status and headers, the type of the body if the headers do not tell it, and the body.
type Written = Result<(Parts, Option<HeaderValue>, Vec<u8>), IntoHttpError>;

fn from_written(result: Result<Written, MatrixError>) -> Answer {
    match result {
        Ok(Ok((mut parts, content_type, body))) => {
            if let Some(content_type) = content_type
                && !parts.headers.contains_key(&header::CONTENT_TYPE)
            {
                parts.headers.insert(header::CONTENT_TYPE, content_type);
            }
            Answer::Http(Response::from_parts(parts, body))
        }
        Ok(Err(unwritten)) => {
            selvedge_durable_objects::log::error("answer", &unwritten.to_string());
            from_error(&MatrixError::internal("The answer could not be written"))
        }
        Err(error) => from_error(&error),
    }
}

/// The same of a handler that answers by the platform's own type.
#[cfg(target_arch = "wasm32")]
pub fn from_platform(result: Result<web_sys::Response, MatrixError>) -> Answer {
    match result {
        Ok(response) => Answer::Platform(response),
        Err(error) => from_error(&error),
    }
}

/// The answer that tells of an error, with `Retry-After` (seconds) where the body says to wait.
pub fn from_error(error: &MatrixError) -> Answer {
    let mut response = Response::new(error.body().to_string().into_bytes());
    *response.status_mut() =
        http::StatusCode::from_u16(error.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = error.extra.get("retry_after_ms").and_then(serde_json::Value::as_u64) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.div_ceil(1000)));
    }
    Answer::Http(response)
}

/// JSON that is passed on as an actor made it.
pub struct Json(pub String);

impl Json {
    /// An object, written member by member: less to compile than a type for each answer that has a few of them.
    pub fn object(write: impl FnOnce(&mut ObjectWriter)) -> Self {
        let mut object = ObjectWriter::new();
        write(&mut object);
        Self(object.finish())
    }
}

impl From<Box<serde_json::value::RawValue>> for Json {
    fn from(json: Box<serde_json::value::RawValue>) -> Self {
        Self(Box::<str>::from(json).into())
    }
}

/// The same with a status other than 200.
pub struct JsonWithStatus {
    /// The status.
    pub status: u16,
    /// The body.
    pub json: String,
}

/// Text of some other type, such as a page.
pub struct Text {
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// The body of [`Json`] and [`Text`].
pub struct TextBody {
    content_type: &'static str,
    text: String,
}

impl OutgoingBody for TextBody {
    type Error = Infallible;

    fn content_type(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static(self.content_type))
    }

    fn try_into_buf<T: Default + BufMut + AsRef<[u8]>>(self) -> Result<T, Infallible> {
        let mut buffer = T::default();
        buffer.put_slice(self.text.as_bytes());
        Ok(buffer)
    }
}

impl OutgoingResponse for Json {
    type Body = TextBody;

    fn try_into_http_response_inner(self) -> Result<Response<TextBody>, IntoHttpError> {
        Ok(Response::new(TextBody { content_type: "application/json", text: self.0 }))
    }
}

impl OutgoingResponse for JsonWithStatus {
    type Body = TextBody;

    fn try_into_http_response_inner(self) -> Result<Response<TextBody>, IntoHttpError> {
        let mut response = Json(self.json).try_into_http_response_inner()?;
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        Ok(response)
    }
}

impl OutgoingResponse for Text {
    type Body = TextBody;

    fn try_into_http_response_inner(self) -> Result<Response<TextBody>, IntoHttpError> {
        Ok(Response::new(TextBody { content_type: self.content_type, text: self.body }))
    }
}
