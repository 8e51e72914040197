//! Declining an invitation to, or taking back a knock at, a room that this server takes no part in `[S-S §12]`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{
    OwnedServerName, ServerName,
    api::federation::membership::{
        create_leave_event::v2 as create_leave_event, prepare_leave_event::v1 as prepare_leave_event,
    },
    events::room::member::MembershipState,
};
use selvedge_durable_objects::{
    federation::{self, Bounds, FederationError, stray::client_event},
    matrix_error::MatrixError,
    platform::random,
    rpc::user::{GetMembership, SetMembership},
};
use selvedge_protocol::event::Pdu;
use serde_json::{json, value::RawValue};

use super::handshake::{Proposal, Wish, candidates, sign};
use crate::context::Ctx;

/// How long one question to a server may take, in milliseconds.
const TIMEOUT_MS: u32 = 15_000;

/// Tells the room, if a server of it can be reached, and ends the user's part in it in any case: nobody has to stay
/// invited because the inviter's server is gone.
pub async fn leave(ctx: &Ctx, wish: &Wish<'_>, via: &[OwnedServerName]) -> Result<(), MatrixError> {
    let room_id = wish.room_id.to_owned();
    let localpart = wish.user_id.localpart();
    let known = ctx.call(localpart, &GetMembership { room_id: room_id.clone() }).await?;
    let known = known.ok_or_else(|| MatrixError::forbidden("You are not in this room"))?;
    if matches!(known.membership, MembershipState::Leave) {
        return Ok(());
    }
    if known.membership == MembershipState::Ban {
        return Err(MatrixError::forbidden("You are banned from this room"));
    }
    let mut servers = vec![known.sender.server_name().to_owned()];
    servers.extend_from_slice(via);
    let mut left = None;
    for server in candidates(ctx, &servers) {
        match through(ctx, wish, &server).await {
            Ok(event) => {
                left = Some(event);
                break;
            }
            Err(FederationError::Internal(error)) => return Err(error),
            Err(error) => selvedge_durable_objects::log::warn("leave", &error.to_string()),
        }
    }
    let command = SetMembership {
        room_id,
        membership: MembershipState::Leave,
        position: None,
        sender: wish.user_id.clone(),
        stripped_state: Vec::new(),
        predecessor: None,
        event: Some(match &left {
            Some(event) => client_event(event)?,
            None => local_event(ctx, wish)?,
        }),
    };
    ctx.call(localpart, &command).await
}

async fn through(ctx: &Ctx, wish: &Wish<'_>, server: &ServerName) -> Result<Pdu, FederationError> {
    let platform = ctx.platform.as_ref();
    let bounds = Bounds { timeout_ms: TIMEOUT_MS, ..Bounds::default() };
    let request = prepare_leave_event::Request::new(wish.room_id.to_owned(), wish.user_id.clone());
    let proposed = federation::send(platform, server, request, bounds).await?;
    let proposal = Proposal { version: proposed.room_version, event: proposed.event };
    let (event, _) = sign(ctx, wish, &proposal, server).await?;
    let json = RawValue::from_string(event.json().to_owned())
        .map_err(|error| FederationError::Internal(error.into()))?;
    let id = event.event_id().to_owned();
    let request = create_leave_event::Request::new(wish.room_id.to_owned(), id, json);
    federation::send(platform, server, request, bounds).await?;
    Ok(event)
}

/// The end of a membership that no server could be told of, as clients see it: an event of this server alone.
fn local_event(ctx: &Ctx, wish: &Wish<'_>) -> Result<Box<RawValue>, MatrixError> {
    let token: [u8; 32] = random(ctx.platform.as_ref());
    let mut content = wish.content.clone();
    content.insert("membership".to_owned(), json!("leave"));
    let json = json!({
        "content": content,
        "event_id": format!("${}", URL_SAFE_NO_PAD.encode(token)),
        "origin_server_ts": ctx.platform.now(),
        "sender": wish.user_id,
        "state_key": wish.user_id,
        "type": "m.room.member",
    });
    Ok(serde_json::value::to_raw_value(&json)?)
}
