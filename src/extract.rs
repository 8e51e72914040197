//! What a handler's signature demands of a request: who asks, proven.

mod admin;
mod client_auth;
mod federation_auth;

use http::Request;
use selvedge_durable_objects::matrix_error::MatrixError;

pub use self::{
    admin::{AdminToken, ServerAdmin},
    client_auth::{AccessToken, ClientAuth, GuestsToo, Sender},
    federation_auth::FederationAuth,
};
use crate::context::Ctx;

/// Something that is taken from a request before its handler runs.
pub trait FromRequest: Sized {
    /// Takes it, or refuses the request.
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError>;
}

/// Anyone may ask.
pub struct NoAuth;

impl FromRequest for NoAuth {
    async fn from_request(_: &Ctx, _: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        Ok(Self)
    }
}
