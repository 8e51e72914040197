//! The one error type of answers to clients and servers; it also crosses between actors.

use std::{
    borrow::Cow,
    ops::{Deref, DerefMut},
};

use ruma::api::error::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::database::DatabaseError;

/// An error answer: HTTP status, errcode, text for people, and what else the body carries `[C-S §2.1]`. A pointer, for it is
/// moved wherever something can fail.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{} {} {}", self.status, self.code, self.message)]
#[serde(transparent)]
pub struct MatrixError(Box<ErrorAnswer>);

/// What a [`MatrixError`] tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The `errcode`; empty for the first answer of user-interactive authentication, which has none.
    pub code: Cow<'static, str>,
    /// The `error` text.
    pub message: Cow<'static, str>,
    /// Further members of the body.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Defines constructors that differ in status and errcode only.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident: $status:literal $code:ident;)+) => {
        $($(#[$doc])* pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
            Self::make($status, &ErrorCode::$code, message.into())
        })+
    };
}

impl MatrixError {
    /// An error with the given status and errcode.
    pub fn new(status: u16, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::make(status, &code, message.into())
    }

    /// Not inlined, for there are many errors.
    #[cold]
    #[inline(never)]
    fn make(status: u16, code: &ErrorCode, message: Cow<'static, str>) -> Self {
        ErrorAnswer { status, code: code.to_string().into(), message, extra: Map::new() }.into()
    }

    constructors! {
        /// `M_FORBIDDEN`: not allowed.
        forbidden: 403 Forbidden;
        /// `M_NOT_FOUND`: no such thing, or none that the asker may know of.
        not_found: 404 NotFound;
        /// `M_UNRECOGNIZED` for an unknown path.
        unrecognized: 404 Unrecognized;
        /// `M_UNRECOGNIZED` for a known path with another method.
        wrong_method: 405 Unrecognized;
        /// `M_BAD_JSON`: JSON of the wrong shape.
        bad_json: 400 BadJson;
        /// `M_NOT_JSON`: not JSON at all.
        not_json: 400 NotJson;
        /// `M_INVALID_PARAM`: a parameter has a wrong value.
        invalid_param: 400 InvalidParam;
        /// `M_MISSING_PARAM`: a parameter is missing.
        missing_param: 400 MissingParam;
        /// `M_TOO_LARGE`: more than is accepted.
        too_large: 413 TooLarge;
        /// `M_MISSING_TOKEN`: no access token.
        missing_token: 401 MissingToken;
        /// `M_UNKNOWN_TOKEN`: an access token that is not, or no longer, valid.
        unknown_token: 401 UnknownToken;
        /// `M_UNAUTHORIZED`: a server did not prove who it is.
        unauthorized: 401 Unauthorized;
        /// `M_UNKNOWN`: a bad request that no other code fits.
        bad_request: 400 Unknown;
        /// `M_UNKNOWN`: a fault of ours; the text must not give anything away.
        internal: 500 Unknown;
        /// `M_UNKNOWN`: another server that was needed did not do its part.
        bad_gateway: 502 Unknown;
        /// `M_USER_IN_USE`: the user name is taken.
        user_in_use: 400 UserInUse;
        /// `M_INVALID_USERNAME`: the user name breaks the rules.
        invalid_username: 400 InvalidUsername;
        /// `M_ROOM_IN_USE`: the alias is taken.
        room_in_use: 400 RoomInUse;
        /// `M_BAD_STATE`: the change does not fit the present state.
        bad_state: 400 BadState;
    }

    /// `M_LIMIT_EXCEEDED`: come back after `retry_after_ms` `[C-S §2.1.1]`. The edge sets `Retry-After` from it.
    pub fn limit_exceeded(retry_after_ms: u64) -> Self {
        Self::new(429, ErrorCode::LimitExceeded, "Too many requests")
            .with("retry_after_ms", json!(retry_after_ms))
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a member to the body.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.extra.insert(key.to_owned(), value);
        self
    }

    /// Whether the errcode is `code`.
    pub fn is(&self, code: &ErrorCode) -> bool {
        self.code == code.as_str()
    }

    /// The JSON body of the answer.
    pub fn body(&self) -> Value {
        let mut body = self.extra.clone();
        if !self.code.is_empty() {
            body.insert("errcode".to_owned(), Value::String(self.code.to_string()));
            body.insert("error".to_owned(), Value::String(self.message.to_string()));
        }
        Value::Object(body)
    }
}

impl From<ErrorAnswer> for MatrixError {
    fn from(answer: ErrorAnswer) -> Self {
        Self(Box::new(answer))
    }
}

impl Deref for MatrixError {
    type Target = ErrorAnswer;

    fn deref(&self) -> &ErrorAnswer {
        &self.0
    }
}

impl DerefMut for MatrixError {
    fn deref_mut(&mut self) -> &mut ErrorAnswer {
        &mut self.0
    }
}

impl From<DatabaseError> for MatrixError {
    #[cold]
    #[inline(never)]
    fn from(error: DatabaseError) -> Self {
        crate::log::error("database", &error.to_string());
        Self::internal("Storage failed")
    }
}

impl From<serde_json::Error> for MatrixError {
    #[cold]
    #[inline(never)]
    fn from(error: serde_json::Error) -> Self {
        crate::log::error("json", &error.to_string());
        Self::internal("A message between actors was not understood")
    }
}
