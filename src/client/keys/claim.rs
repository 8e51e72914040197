//! Claiming one-time keys, here and on other servers.

use std::collections::BTreeMap;

use futures_util::TryFutureExt;
use ruma::{
    OneTimeKeyAlgorithm, OwnedDeviceId, OwnedServerName, OwnedUserId,
    api::{
        client::keys::claim_keys::v3 as claim_keys, error::ErrorCode,
        federation::keys::claim_keys::v1 as claim_remote_keys,
    },
};
use selvedge_durable_objects::{
    concurrent::each,
    federation::{self, Bounds},
    matrix_error::MatrixError,
    rpc::user::{ClaimKeys, ClaimedKeys},
};

use super::{CONCURRENCY, check_count, failure, timeout_ms, within};
use crate::{context::Ctx, extract::GuestsToo};

type Wanted = BTreeMap<OwnedUserId, BTreeMap<OwnedDeviceId, OneTimeKeyAlgorithm>>;
type Claimed = BTreeMap<OwnedUserId, ClaimedKeys>;

/// `POST /_matrix/client/v3/keys/claim`
pub async fn claim_keys(
    ctx: Ctx,
    _: GuestsToo,
    request: claim_keys::Request,
) -> Result<claim_keys::Response, MatrixError> {
    check_count(request.one_time_keys.len())?;
    let timeout_ms = timeout_ms(request.timeout);
    let (mut local, mut remote) = (Wanted::new(), BTreeMap::<OwnedServerName, Wanted>::new());
    for (user_id, devices) in request.one_time_keys {
        if user_id.server_name() == ctx.server_name() {
            local.insert(user_id, devices);
        } else {
            remote.entry(user_id.server_name().to_owned()).or_default().insert(user_id, devices);
        }
    }
    let mut response = claim_keys::Response::new(claim_local(&ctx, local).await?);
    for (server, answer) in claim_remote(&ctx, remote, timeout_ms).await {
        match answer {
            Ok(claimed) => response.one_time_keys.extend(claimed),
            Err(error) => {
                response.failures.insert(server.to_string(), failure(error));
            }
        }
    }
    Ok(response)
}

/// Claims keys of users of this server; users of whom there are none are left out.
pub async fn claim_local(ctx: &Ctx, wanted: Wanted) -> Result<Claimed, MatrixError> {
    let answers = each(CONCURRENCY, wanted, |(user_id, devices)| async move {
        match ctx.call(user_id.localpart(), &ClaimKeys { devices }).await {
            Err(error) if error.is(&ErrorCode::NotFound) => Ok((user_id, ClaimedKeys::new())),
            answer => answer.map(|keys| (user_id, keys)),
        }
    });
    let mut claimed = Claimed::new();
    for answer in answers.await {
        let (user_id, keys) = answer?;
        if !keys.is_empty() {
            claimed.insert(user_id, keys);
        }
    }
    Ok(claimed)
}

async fn claim_remote(
    ctx: &Ctx,
    wanted: BTreeMap<OwnedServerName, Wanted>,
    timeout_ms: u32,
) -> Vec<(OwnedServerName, Result<Claimed, MatrixError>)> {
    let answers = each(CONCURRENCY, wanted, |(server, users)| async move {
        let request = claim_remote_keys::Request::new(users.clone());
        let bounds = Bounds { timeout_ms, ..Bounds::default() };
        let call = federation::send(ctx.platform.as_ref(), &server, request, bounds);
        let answer = within(ctx, timeout_ms, call.map_err(MatrixError::from)).await;
        let claimed = answer.map(|answer| {
            let mut claimed = answer.one_time_keys;
            // A server speaks for its own users, and only of what was asked.
            claimed.retain(|user_id, devices| {
                let asked = users.get(user_id);
                devices.retain(|device_id, _| asked.is_some_and(|asked| asked.contains_key(device_id)));
                !devices.is_empty()
            });
            claimed
        });
        (server, claimed)
    });
    answers.await
}
