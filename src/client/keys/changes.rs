//! Whose devices changed since a sync.

use ruma::api::client::keys::get_key_changes::v3 as get_key_changes;
use ruma::presence::PresenceState;
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        sync_token::SyncToken,
        user::{Authenticate, Sync},
    },
};

use crate::{client::sync::device_lists, context::Ctx, extract::AccessToken};

/// `GET /_matrix/client/v3/keys/changes`: what a sync from the same token would say. `to` is a hint that is not needed.
pub async fn get_key_changes(
    ctx: Ctx,
    token: AccessToken,
    request: get_key_changes::Request,
) -> Result<get_key_changes::Response, MatrixError> {
    // Only a sync says that messages to the device have arrived.
    let from = SyncToken::decode(&request.from);
    let from = from.map_or(request.from, |from| SyncToken { to_device: 0, ..from }.encode());
    let command = Sync {
        credentials: Authenticate {
            token_hash: token.hash,
            address: ctx.peer.address.clone(),
            user_agent: ctx.peer.user_agent.clone(),
        },
        since: Some(from),
        filter: None,
        full_state: false,
        set_presence: PresenceState::Offline,
    };
    let synced = ctx.call(token.localpart.as_str(), &command).await?;
    let lists = device_lists::ask_rooms(&ctx, &synced).await?;
    let lists = device_lists::complete(&ctx, &synced, lists).await?;
    Ok(get_key_changes::Response::new(lists.changed, lists.left))
}
