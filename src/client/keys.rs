//! End-to-end encryption keys `[C-S §11.15]`.

mod changes;
mod claim;
mod query;
mod signing;

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use ruma::api::client::keys::upload_keys::v3 as upload_keys;
use selvedge_durable_objects::{matrix_error::MatrixError, rpc::user::UploadKeys};
use serde_json::{Value, json};

pub use self::{
    changes::get_key_changes,
    claim::{claim_keys, claim_local},
    query::get_keys,
    signing::{upload_signatures, upload_signing_keys},
};
use crate::{answer::Json, context::Ctx, extract::GuestsToo};

/// How many users one request may ask about.
const MAX_USERS: usize = 10_000;
/// How many actors or servers are called at the same time.
const CONCURRENCY: usize = 32;
/// How long other servers are waited for, unless the client says, and at most.
const TIMEOUT: Duration = Duration::from_secs(10);

/// `POST /_matrix/client/v3/keys/upload`
pub async fn upload_keys(
    ctx: Ctx,
    GuestsToo(auth): GuestsToo,
    request: upload_keys::Request,
) -> Result<Json, MatrixError> {
    let command = UploadKeys {
        device_id: auth.device_id.clone(),
        device_keys: request.device_keys,
        one_time_keys: request.one_time_keys,
        fallback_keys: request.fallback_keys,
    };
    let counts = serde_json::to_string(&ctx.call(auth.localpart(), &command).await?)?;
    Ok(Json::object(|answer| answer.member("one_time_key_counts", &counts)))
}

/// How long to wait for other servers, in milliseconds.
fn timeout_ms(wanted: Option<Duration>) -> u32 {
    u32::try_from(wanted.unwrap_or(TIMEOUT).min(TIMEOUT).as_millis()).unwrap_or(u32::MAX)
}

/// What `call` gives, unless it takes longer than a client is let wait: finding a server takes time too.
async fn within<T>(
    ctx: &Ctx,
    timeout_ms: u32,
    call: impl Future<Output = Result<T, MatrixError>>,
) -> Result<T, MatrixError> {
    match select(pin!(call), ctx.platform.sleep(timeout_ms)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(MatrixError::bad_gateway("The server did not answer in time")),
    }
}

/// What a client gets to see for a server that did not answer.
fn failure(error: MatrixError) -> Value {
    json!({"status": 503, "errcode": error.code, "error": error.message})
}

/// `M_TOO_LARGE` for too many users.
fn check_count(users: usize) -> Result<(), MatrixError> {
    if users > MAX_USERS {
        return Err(MatrixError::too_large(format!("Ask about at most {MAX_USERS} users")));
    }
    Ok(())
}
