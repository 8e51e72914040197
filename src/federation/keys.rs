//! Signing keys: publishing our own, and vouching for others' as a notary `[S-S §3]`.

use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, MilliSecondsSinceUnixEpoch, OwnedServerName, UInt,
    api::federation::discovery::{
        OldVerifyKey, ServerSigningKeys, VerifyKey, get_remote_server_keys, get_remote_server_keys_batch,
        get_server_keys, get_server_version,
    },
    serde::{Base64, Raw},
    signatures::sign_json,
};
use selvedge_durable_objects::{
    concurrent::{ALL, try_each},
    matrix_error::MatrixError,
    rpc::remote_server::GetVerifyKeys,
    signing::{ServerKeys, server_keys},
};

use crate::{answer::Json, context::Ctx, extract::NoAuth};

/// For how long from now our published keys may be believed, in milliseconds.
const VALIDITY: u64 = 24 * 3_600_000;
/// How many servers one batch query may name.
const MAX_BATCH: usize = 100;

fn timestamp(milliseconds: u64) -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(UInt::try_from(milliseconds).unwrap_or(UInt::MAX))
}

fn internal(error: impl std::fmt::Display) -> MatrixError {
    selvedge_durable_objects::log::error("keys", &error.to_string());
    MatrixError::internal("The keys could not be written")
}

/// Signs `json` as this server.
fn sign(ctx: &Ctx, keys: &ServerKeys, json: &str) -> Result<Raw<ServerSigningKeys>, MatrixError> {
    let mut object: CanonicalJsonObject = serde_json::from_str(json).map_err(internal)?;
    sign_json(ctx.server_name().as_str(), &keys.pair, &mut object).map_err(internal)?;
    let signed = serde_json::value::to_raw_value(&object).map_err(internal)?;
    Ok(Raw::from_json(signed))
}

async fn own_keys(ctx: &Ctx) -> Result<Raw<ServerSigningKeys>, MatrixError> {
    let keys = server_keys(ctx.platform.as_ref()).await?;
    let valid_until = timestamp(ctx.platform.now().saturating_add(VALIDITY));
    let mut published = ServerSigningKeys::new(ctx.config.server_name.clone(), valid_until);
    let id = |version: &str| format!("ed25519:{version}").as_str().try_into().map_err(internal);
    let current = VerifyKey::new(Base64::new(keys.pair.public_key().to_vec()));
    published.verify_keys = BTreeMap::from([(id(keys.pair.version())?, current)]);
    for old in &keys.old {
        let key = OldVerifyKey::new(timestamp(old.expired_ts), Base64::parse(&old.public).map_err(internal)?);
        published.old_verify_keys.insert(id(&old.version)?, key);
    }
    sign(ctx, &keys, &serde_json::to_string(&published).map_err(internal)?)
}

/// `GET /_matrix/key/v2/server` `[S-S §3.1.1]`
pub async fn get_server_keys(
    ctx: Ctx,
    _: NoAuth,
    _: get_server_keys::v2::Request,
) -> Result<get_server_keys::v2::Response, MatrixError> {
    Ok(get_server_keys::v2::Response::new(own_keys(&ctx).await?))
}

/// Another server's keys as it signed them, signed by us as well; `None` when there are none to be had.
async fn vouch(
    ctx: &Ctx,
    server: &OwnedServerName,
    valid_at: u64,
) -> Result<Option<Raw<ServerSigningKeys>>, MatrixError> {
    if *server == ctx.config.server_name {
        return own_keys(ctx).await.map(Some);
    }
    let command = GetVerifyKeys { wanted: Vec::new(), valid_at };
    let Some(response) = ctx.call(server, &command).await.ok().and_then(|keys| keys.response) else {
        return Ok(None);
    };
    let keys = server_keys(ctx.platform.as_ref()).await?;
    sign(ctx, &keys, &response).map(Some)
}

/// `GET /_matrix/key/v2/query/{serverName}` `[S-S §3.1.2]`
pub async fn get_remote_server_keys(
    ctx: Ctx,
    _: NoAuth,
    request: get_remote_server_keys::v2::Request,
) -> Result<get_remote_server_keys::v2::Response, MatrixError> {
    let keys = vouch(&ctx, &request.server_name, request.minimum_valid_until_ts.0.into()).await?;
    Ok(get_remote_server_keys::v2::Response::new(keys.into_iter().collect()))
}

/// `POST /_matrix/key/v2/query` `[S-S §3.1.2]`
pub async fn get_remote_server_keys_batch(
    ctx: Ctx,
    _: NoAuth,
    request: get_remote_server_keys_batch::v2::Request,
) -> Result<get_remote_server_keys_batch::v2::Response, MatrixError> {
    if request.server_keys.len() > MAX_BATCH {
        return Err(MatrixError::too_large(format!("At most {MAX_BATCH} servers at once")));
    }
    let found = try_each(ALL, &request.server_keys, |(server, criteria)| {
        let wanted = criteria.values().filter_map(|criterion| criterion.minimum_valid_until_ts);
        let valid_at = wanted.max().map_or_else(|| ctx.platform.now(), |ts| ts.0.into());
        vouch(&ctx, server, valid_at)
    });
    Ok(get_remote_server_keys_batch::v2::Response::new(found.await?.into_iter().flatten().collect()))
}

/// `GET /_matrix/federation/v1/version` `[S-S §2.2]`
pub async fn get_server_version(
    _: Ctx,
    _: NoAuth,
    _: get_server_version::v1::Request,
) -> Result<Json, MatrixError> {
    let server = Json::object(|server| {
        server.string("name", "Selvedge");
        server.string("version", env!("CARGO_PKG_VERSION"));
    });
    Ok(Json::object(|answer| answer.member("server", &server.0)))
}
