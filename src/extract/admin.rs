//! Who may administer the server.

use http::Request;
use ruma::OwnedUserId;
use selvedge_durable_objects::{config::ServerConfig, matrix_error::MatrixError};
use sha2::{Digest, Sha256};

use super::{ClientAuth, FromRequest, client_auth::bearer_token};
use crate::context::Ctx;

/// The operator, proven by `ADMIN_TOKEN` of the deployment's settings.
pub struct AdminToken;

/// Who may administer the server: the operator, or a user whose account says so.
pub struct ServerAdmin {
    /// The user; `None` for the operator.
    pub user_id: Option<OwnedUserId>,
}

impl ServerAdmin {
    /// Who it was, for records: the user id, or `ADMIN_TOKEN`.
    pub fn name(&self) -> String {
        self.user_id.as_ref().map_or_else(|| "ADMIN_TOKEN".to_owned(), ToString::to_string)
    }
}

fn is_admin_token(config: &ServerConfig, given: &str) -> bool {
    // Comparing digests takes the same time wherever the tokens differ.
    config.admin_token.as_deref().is_some_and(|expected| Sha256::digest(expected) == Sha256::digest(given))
}

impl FromRequest for AdminToken {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        if ctx.config.admin_token.is_none() {
            return Err(MatrixError::forbidden("Set ADMIN_TOKEN to open this endpoint"));
        }
        let given =
            bearer_token(request).ok_or_else(|| MatrixError::missing_token("Missing access token"))?;
        if is_admin_token(&ctx.config, &given) {
            Ok(Self)
        } else {
            Err(MatrixError::unknown_token("Not the admin token"))
        }
    }
}

impl FromRequest for ServerAdmin {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        if bearer_token(request).is_some_and(|given| is_admin_token(&ctx.config, &given)) {
            return Ok(Self { user_id: None });
        }
        let auth = ClientAuth::from_request(ctx, request).await?;
        if auth.is_admin {
            Ok(Self { user_id: Some(auth.user_id) })
        } else {
            Err(MatrixError::forbidden("You are not a server admin"))
        }
    }
}
