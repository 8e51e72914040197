//! The server that asks, proven by its signature of the request `[S-S §4]`.

use http::Request;
use ruma::{
    OwnedServerName,
    api::federation::authentication::XMatrix,
    serde::Base64,
    signatures::{PublicKeyMap, PublicKeySet},
};
use selvedge_durable_objects::{federation::verify_keys::verify_key, matrix_error::MatrixError};

use super::FromRequest;
use crate::context::Ctx;

/// Another homeserver, which signed this request.
#[derive(Debug, Clone)]
pub struct FederationAuth {
    /// Its name.
    pub origin: OwnedServerName,
}

impl FromRequest for FederationAuth {
    async fn from_request(ctx: &Ctx, request: &Request<Vec<u8>>) -> Result<Self, MatrixError> {
        let denied = |reason: String| MatrixError::unauthorized(reason);
        let proof = XMatrix::extract_from_http_headers(request.headers())
            .map_err(|error| denied(format!("Missing or malformed X-Matrix authorization: {error}")))?;
        if proof.origin == ctx.config.server_name {
            return Err(denied("This server does not ask itself".to_owned()));
        }
        let now = ctx.platform.now();
        let key = verify_key(ctx.platform.as_ref(), &proof.origin, &proof.key, now)
            .await
            .map_err(|error| denied(format!("The keys of {} are not known: {error}", proof.origin)))?
            .filter(|key| !key.is_old && key.valid_until_ts >= now)
            .ok_or_else(|| denied(format!("{} does not publish the key {}", proof.origin, proof.key)))?;
        let public_key = Base64::parse(&key.public_key).map_err(|_| denied("A malformed key".to_owned()))?;
        let set = PublicKeySet::from([(proof.key.to_string(), public_key)]);
        let keys = PublicKeyMap::from([(proof.origin.to_string(), set)]);
        proof
            .verify_http_request(request, ctx.server_name(), &keys)
            .map_err(|error| denied(format!("The signature does not hold: {error}")))?;
        Ok(Self { origin: proof.origin })
    }
}
