//! The operator, proven by the token in the deployment's settings.

use http::Request;
use selvedge_durable_objects::matrix_error::MatrixError;
use sha2::{Digest, Sha256};

use super::{FromRequest, client_auth::bearer_token};
use crate::context::Ctx;

/// The request carries `ADMIN_TOKEN`.
pub struct AdminToken;

impl FromRequest for AdminToken {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        let expected = ctx
            .config
            .admin_token
            .as_deref()
            .ok_or_else(|| MatrixError::forbidden("Set ADMIN_TOKEN to open this endpoint"))?;
        let given =
            bearer_token(request).ok_or_else(|| MatrixError::missing_token("Missing access token"))?;
        // Comparing digests takes the same time wherever the tokens differ.
        if Sha256::digest(expected) == Sha256::digest(&given) {
            Ok(Self)
        } else {
            Err(MatrixError::unknown_token("Not the admin token"))
        }
    }
}
