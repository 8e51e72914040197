//! Asking for keys of users, here and on other servers.

use std::collections::BTreeMap;

use ruma::{
    OwnedDeviceId, OwnedServerName, OwnedUserId,
    api::{client::keys::get_keys::v3 as get_keys, error::ErrorCode},
    encryption::CrossSigningKey,
    serde::Raw,
};
use selvedge_durable_objects::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::{
        remote_server::{QueryRemoteKeys, RemoteKeys},
        user::{GetSignatures, QueryKeys, SignatureOfOther, UserKeys},
    },
};
use serde_json::{Value, json, value::to_raw_value};

use super::{CONCURRENCY, check_count, failure, timeout_ms, within};
use crate::{
    context::Ctx,
    extract::{ClientAuth, GuestsToo},
};

type Wanted = BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>;

/// `POST /_matrix/client/v3/keys/query`
pub async fn get_keys(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: get_keys::Request,
) -> Result<get_keys::Response, MatrixError> {
    check_count(request.device_keys.len())?;
    let timeout_ms = timeout_ms(request.timeout);
    let (mut local, mut remote) = (Wanted::new(), BTreeMap::<OwnedServerName, Wanted>::new());
    for (user_id, devices) in request.device_keys {
        if user_id.server_name() == ctx.server_name() {
            local.insert(user_id, devices);
        } else {
            remote.entry(user_id.server_name().to_owned()).or_default().insert(user_id, devices);
        }
    }
    let mut response = get_keys::Response::new();
    for (user_id, keys) in query_local(&ctx, &auth, local).await? {
        add(&mut response, user_id, keys);
    }
    for (server, answer) in query_remote(&ctx, remote, timeout_ms).await {
        match answer {
            Ok(RemoteKeys { users, failure: missing }) => {
                for (user_id, keys) in users {
                    add(&mut response, user_id, keys);
                }
                response.failures.extend(missing.map(|error| (server.to_string(), failure(error))));
            }
            Err(error) => {
                response.failures.insert(server.to_string(), failure(error));
            }
        }
    }
    add_signatures(&ctx, &auth, &mut response).await?;
    Ok(response)
}

fn add(response: &mut get_keys::Response, user_id: OwnedUserId, keys: UserKeys) {
    response.master_keys.extend(keys.master_key.map(|key| (user_id.clone(), key)));
    response.self_signing_keys.extend(keys.self_signing_key.map(|key| (user_id.clone(), key)));
    response.user_signing_keys.extend(keys.user_signing_key.map(|key| (user_id.clone(), key)));
    response.device_keys.insert(user_id, keys.devices);
}

/// Users who do not exist have no keys.
async fn query_local(
    ctx: &Ctx,
    auth: &ClientAuth,
    wanted: Wanted,
) -> Result<Vec<(OwnedUserId, UserKeys)>, MatrixError> {
    let answers = each(CONCURRENCY, wanted, |(user_id, devices)| async move {
        let command = QueryKeys { devices, is_own: user_id == auth.user_id };
        match ctx.call(user_id.localpart(), &command).await {
            Err(error) if error.is(&ErrorCode::NotFound) => Ok((user_id, UserKeys::default())),
            answer => answer.map(|keys| (user_id, keys)),
        }
    });
    answers.await.into_iter().collect()
}

type RemoteAnswer = (OwnedServerName, Result<RemoteKeys, MatrixError>);

async fn query_remote(
    ctx: &Ctx,
    wanted: BTreeMap<OwnedServerName, Wanted>,
    timeout_ms: u32,
) -> Vec<RemoteAnswer> {
    let answers = each(CONCURRENCY, wanted, |(server, users)| async move {
        let command = QueryRemoteKeys { users, timeout_ms };
        let answer = within(ctx, timeout_ms, ctx.call(&server, &command)).await;
        (server, answer)
    });
    answers.await
}

/// Adds what the user who asks has signed of others: only they see that.
async fn add_signatures(
    ctx: &Ctx,
    auth: &ClientAuth,
    response: &mut get_keys::Response,
) -> Result<(), MatrixError> {
    let users: Vec<_> =
        response.master_keys.keys().filter(|user_id| **user_id != auth.user_id).cloned().collect();
    if users.is_empty() {
        return Ok(());
    }
    for signature in ctx.call(auth.localpart(), &GetSignatures { users }).await? {
        if let Some(key) = response.master_keys.get_mut(&signature.user_id) {
            add_signature(key, auth, &signature)?;
        }
    }
    Ok(())
}

fn add_signature(
    key: &mut Raw<CrossSigningKey>,
    auth: &ClientAuth,
    signature: &SignatureOfOther,
) -> Result<(), MatrixError> {
    let Ok(mut object) = key.deserialize_as_unchecked::<serde_json::Map<String, Value>>() else {
        return Ok(());
    };
    let has_target = object
        .get("keys")
        .and_then(Value::as_object)
        .is_some_and(|keys| keys.values().any(|key| *key == signature.target.as_str()));
    let signatures = object.entry("signatures").or_insert_with(|| json!({}));
    if let (true, Some(signatures)) = (has_target, signatures.as_object_mut()) {
        let own = signatures.entry(auth.user_id.to_string()).or_insert_with(|| json!({}));
        if let Some(own) = own.as_object_mut() {
            own.insert(signature.key_id.clone(), Value::from(signature.signature.as_str()));
        }
        *key = Raw::from_json(to_raw_value(&object)?);
    }
    Ok(())
}
