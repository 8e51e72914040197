//! Invitations by third-party identifiers `[C-S §11.24]`.

use ruma::api::error::ErrorCode;
use selvedge_durable_objects::matrix_error::MatrixError;

/// The refusal: this server talks to no identity server.
pub fn not_possible() -> MatrixError {
    let text = "This server does not invite by third-party identifier: it trusts no identity server";
    MatrixError::new(403, ErrorCode::ThreepidDenied, text)
}
