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

/// Anyone may ask; who says who they are has to prove it.
pub struct Perhaps<A>(pub Option<A>);

impl<A: FromRequest> FromRequest for Perhaps<A> {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        match client_auth::bearer_token(request) {
            Some(_) => A::from_request(ctx, request).await.map(Some).map(Self),
            None => Ok(Self(None)),
        }
    }
}

/// Anyone may ask.
pub struct NoAuth;

impl FromRequest for NoAuth {
    async fn from_request(_: &Ctx, _: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        Ok(Self)
    }
}
