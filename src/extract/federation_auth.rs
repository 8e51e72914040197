//! The server that asks, proven by its signature of the request `[S-S §4]`.

use std::{cell::RefCell, collections::BTreeMap};

use http::Request;
use ruma::{
    OwnedServerName, OwnedServerSigningKeyId, ServerName,
    api::federation::authentication::XMatrix,
    serde::Base64,
    signatures::{PublicKeyMap, PublicKeySet},
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::remote_server::{GetVerifyKeys, VerifyKey, VerifyKeys},
};

use super::FromRequest;
use crate::context::Ctx;

/// Another homeserver, which signed this request.
#[derive(Debug, Clone)]
pub struct FederationAuth {
    /// Its name.
    pub origin: OwnedServerName,
}

/// How many servers' keys an isolate remembers.
const MAX_CACHED: usize = 1000;

thread_local! {
    static KEYS: RefCell<BTreeMap<OwnedServerName, VerifyKeys>> = const { RefCell::new(BTreeMap::new()) };
}

/// The key `id` of `server`, valid at `valid_at` (milliseconds since the epoch): remembered per
/// isolate, else asked of the server's actor.
pub async fn verify_key(
    ctx: &Ctx,
    server: &ServerName,
    id: &OwnedServerSigningKeyId,
    valid_at: u64,
) -> Result<Option<VerifyKey>, MatrixError> {
    let known = |keys: &VerifyKeys| keys.keys.get(id).cloned();
    let cached = KEYS.with_borrow(|all| all.get(server).and_then(known));
    if let Some(key) = cached.filter(|key| key.valid_until_ts >= valid_at) {
        return Ok(Some(key));
    }
    let command = GetVerifyKeys { wanted: vec![id.clone()], valid_at };
    let keys = ctx.call(&server.to_owned(), &command).await?;
    let key = known(&keys);
    KEYS.with_borrow_mut(|all| {
        if all.len() >= MAX_CACHED {
            all.clear();
        }
        all.insert(server.to_owned(), VerifyKeys { response: None, ..keys });
    });
    Ok(key)
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
        let key = verify_key(ctx, &proof.origin, &proof.key, now)
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
