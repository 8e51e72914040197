//! Devices and keys of this server's users, for other servers `[S-S §10, §11]`.

use std::collections::BTreeMap;

use ruma::{
    OwnedUserId, UInt,
    api::{
        error::ErrorCode,
        federation::{
            device::get_devices::v1 as get_devices,
            keys::{claim_keys::v1 as claim_keys, get_keys::v1 as get_keys},
        },
    },
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::user::{QueryKeys, UserKeys},
};

use crate::{client::keys::claim_local, context::Ctx, extract::FederationAuth};

/// How many users one request may ask about.
const MAX_USERS: usize = 1_000;

/// `M_TOO_LARGE` for too many users, `M_INVALID_PARAM` for those of other servers.
fn check<'u>(
    ctx: &Ctx,
    mut users: impl ExactSizeIterator<Item = &'u OwnedUserId>,
) -> Result<(), MatrixError> {
    if users.len() > MAX_USERS {
        return Err(MatrixError::too_large(format!("Ask about at most {MAX_USERS} users")));
    }
    if users.any(|user_id| user_id.server_name() != ctx.server_name()) {
        return Err(MatrixError::invalid_param("A user is not of this server"));
    }
    Ok(())
}

/// `GET /_matrix/federation/v1/user/devices/{userId}`
pub async fn get_devices(
    ctx: Ctx,
    _: FederationAuth,
    request: get_devices::Request,
) -> Result<get_devices::Response, MatrixError> {
    check(&ctx, [&request.user_id].into_iter())?;
    let command = QueryKeys { devices: Vec::new(), is_own: false };
    let keys = ctx.call(request.user_id.localpart(), &command).await?;
    let stream_id = UInt::new(keys.stream_id).unwrap_or_default();
    let mut response = get_devices::Response::new(request.user_id, stream_id);
    response.devices = keys
        .devices
        .into_iter()
        .map(|(device_id, keys)| {
            let name = keys.deserialize().ok().and_then(|keys| keys.unsigned.device_display_name);
            let mut device = get_devices::UserDevice::new(device_id, keys);
            device.device_display_name = name;
            device
        })
        .collect();
    response.master_key = keys.master_key;
    response.self_signing_key = keys.self_signing_key;
    Ok(response)
}

/// `POST /_matrix/federation/v1/user/keys/query`
pub async fn get_keys(
    ctx: Ctx,
    _: FederationAuth,
    request: get_keys::Request,
) -> Result<get_keys::Response, MatrixError> {
    check(&ctx, request.device_keys.keys())?;
    let mut response = get_keys::Response::new(BTreeMap::new());
    for (user_id, devices) in request.device_keys {
        let keys = match ctx.call(user_id.localpart(), &QueryKeys { devices, is_own: false }).await {
            Err(error) if error.is(&ErrorCode::NotFound) => UserKeys::default(),
            keys => keys?,
        };
        response.master_keys.extend(keys.master_key.map(|key| (user_id.clone(), key)));
        response.self_signing_keys.extend(keys.self_signing_key.map(|key| (user_id.clone(), key)));
        response.device_keys.insert(user_id, keys.devices);
    }
    Ok(response)
}

/// `POST /_matrix/federation/v1/user/keys/claim`
pub async fn claim_keys(
    ctx: Ctx,
    _: FederationAuth,
    request: claim_keys::Request,
) -> Result<claim_keys::Response, MatrixError> {
    check(&ctx, request.one_time_keys.keys())?;
    Ok(claim_keys::Response::new(claim_local(&ctx, request.one_time_keys).await?))
}
