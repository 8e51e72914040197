//! Cross-signing keys and signatures `[C-S §11.15.2]`.

use std::collections::BTreeMap;

use ruma::{
    OwnedUserId,
    api::client::keys::{
        upload_signatures::v3 as upload_signatures, upload_signing_keys::v3 as upload_signing_keys,
    },
    encryption::CrossSigningKey,
    serde::Raw,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        remote_server::QueryRemoteKeys,
        user::{QueryKeys, SignOtherKeys, SignOwnKeys, SigningKeysUpload, UploadSigningKeys},
    },
};
use serde_json::{Map, Value, json, value::RawValue};

use super::{check_count, timeout_ms};
use crate::{answer::Json, context::Ctx, extract::ClientAuth, uiaa::prove_password};

/// `POST /_matrix/client/v3/keys/device_signing/upload`: who has none yet, or uploads the same again, need not prove
/// who they are.
pub async fn upload_signing_keys(
    ctx: Ctx,
    auth: ClientAuth,
    request: upload_signing_keys::Request,
) -> Result<upload_signing_keys::Response, MatrixError> {
    let mut command = UploadSigningKeys {
        master_key: request.master_key,
        self_signing_key: request.self_signing_key,
        user_signing_key: request.user_signing_key,
        is_proven: false,
    };
    if ctx.call(auth.localpart(), &command).await? == SigningKeysUpload::Replacing {
        prove_password(&ctx, &auth, "replace cross-signing keys", request.auth.as_ref()).await?;
        command.is_proven = true;
        ctx.call(auth.localpart(), &command).await?;
    }
    Ok(upload_signing_keys::Response::new())
}

/// `POST /_matrix/client/v3/keys/signatures/upload`
pub async fn upload_signatures(
    ctx: Ctx,
    auth: ClientAuth,
    request: upload_signatures::Request,
) -> Result<Json, MatrixError> {
    check_count(request.signed_keys.len())?;
    let mut failures = Map::new();
    for (user_id, signed) in request.signed_keys {
        let signed: BTreeMap<String, Box<RawValue>> =
            signed.iter().map(|(id, object)| (id.to_owned(), object.to_owned())).collect();
        let failed = if user_id == auth.user_id {
            ctx.call(auth.localpart(), &SignOwnKeys { signed }).await?
        } else {
            let master_key = master_key_of(&ctx, &user_id).await?;
            let command = SignOtherKeys { user_id: user_id.clone(), master_key, signed };
            ctx.call(auth.localpart(), &command).await?
        };
        let shown =
            |(errcode, error)| json!({"errcode": Value::String(errcode), "error": Value::String(error)});
        let failed: Map<_, _> = failed.into_iter().map(|(id, failure)| (id, shown(failure))).collect();
        if !failed.is_empty() {
            failures.insert(user_id.to_string(), failed.into());
        }
    }
    Ok(Json(json!({"failures": failures}).to_string()))
}

/// Another user's master key; `None` when there is none, or their server does not answer.
async fn master_key_of(
    ctx: &Ctx,
    user_id: &OwnedUserId,
) -> Result<Option<Raw<CrossSigningKey>>, MatrixError> {
    let keys = if user_id.server_name() == ctx.server_name() {
        ctx.call(user_id.localpart(), &QueryKeys { devices: Vec::new(), is_own: false }).await
    } else {
        let users = BTreeMap::from([(user_id.clone(), Vec::new())]);
        let command = QueryRemoteKeys { users, timeout_ms: timeout_ms(None) };
        let answer = ctx.call(&user_id.server_name().to_owned(), &command).await;
        answer.map(|mut answer| answer.users.remove(user_id).unwrap_or_default())
    };
    match keys {
        Err(error) if error.status == 404 || error.status == 502 => Ok(None),
        keys => Ok(keys?.master_key),
    }
}
