//! Syncing `[C-S §6.4]`: one call to the user's actor, and one to each room that has something new.

mod answer;
pub mod device_lists;
mod rooms;

use std::time::Duration;

use ruma::api::client::sync::sync_events::v3::{self as sync_events, Filter};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        self, Awaited,
        sync_token::SyncToken,
        user::{Authenticate, Sync, Synced, WantedFilter},
    },
};
use serde_json::value::to_raw_value;

use crate::{answer::Json, context::Ctx, extract::AccessToken};

/// How long a client is let wait at most.
const MAX_TIMEOUT: Duration = Duration::from_mins(10);

/// `GET /_matrix/client/v3/sync`
pub async fn sync_events(
    ctx: Ctx,
    token: AccessToken,
    request: sync_events::Request,
) -> Result<Json, MatrixError> {
    let options = rooms::Options {
        is_first: request.since.is_none(),
        full_state: request.full_state,
        use_state_after: request.use_state_after,
    };
    let now = || ctx.platform.now();
    let timeout = request.timeout.filter(|_| request.since.is_some() && !request.full_state);
    let timeout = u64::try_from(timeout.unwrap_or_default().min(MAX_TIMEOUT).as_millis()).unwrap_or(0);
    let deadline = now().saturating_add(timeout);
    let mut command = command(&ctx, &token, request)?;
    loop {
        let left = u32::try_from(deadline.saturating_sub(now())).unwrap_or(u32::MAX);
        let asked = ask(&ctx, &token.localpart, &command, left).await?;
        let since = command.since.as_deref().and_then(SyncToken::decode);
        let rooms = rooms::pull(&ctx, &asked.synced, since.as_ref(), &options).await?;
        let answer = answer::assemble(&ctx, &asked.synced, rooms, since.as_ref(), &options).await?;
        // A room may have woken the client for what it has seen already, or does not want.
        if answer.is_news || asked.is_last || now() >= deadline {
            return Ok(Json(answer.json));
        }
        command.since = Some(answer.next_batch);
    }
}

/// The request as the user's actor takes it.
fn command(ctx: &Ctx, token: &AccessToken, request: sync_events::Request) -> Result<Sync, MatrixError> {
    let filter = match request.filter {
        None => None,
        Some(Filter::FilterDefinition(filter)) => Some(WantedFilter::Definition(to_raw_value(&filter)?)),
        Some(Filter::FilterId(id)) if id.trim_start().starts_with('{') => {
            return Err(MatrixError::invalid_param("The filter is not valid"));
        }
        Some(Filter::FilterId(id)) => Some(WantedFilter::Id(id)),
        Some(_) => return Err(MatrixError::invalid_param("The filter is not understood")),
    };
    Ok(Sync {
        credentials: Authenticate {
            token_hash: token.hash.clone(),
            address: ctx.peer.address.clone(),
            user_agent: ctx.peer.user_agent.clone(),
        },
        since: request.since,
        filter,
        full_state: request.full_state,
        set_presence: request.set_presence,
    })
}

/// The user's part of an answer.
struct Asked {
    synced: Synced,
    /// Whether there is no use in asking again: the time is over, or the client has gone.
    is_last: bool,
}

/// Asks the user's actor, waiting for news for as long as `timeout_ms`.
async fn ask(ctx: &Ctx, localpart: &str, command: &Sync, timeout_ms: u32) -> Result<Asked, MatrixError> {
    if timeout_ms == 0 {
        return Ok(Asked { synced: ctx.call(localpart, command).await?, is_last: true });
    }
    match rpc::wait(ctx.platform.as_ref(), localpart, command, timeout_ms).await? {
        Awaited::Reply(synced) => Ok(Asked { synced, is_last: false }),
        Awaited::Nothing(synced) => Ok(Asked { synced, is_last: true }),
        Awaited::Gone => Err(MatrixError::bad_request("The client has gone")),
    }
}
