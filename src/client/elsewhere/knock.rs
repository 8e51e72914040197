//! Knocking at a room through a server that takes part in it `[S-S §14]`.

use ruma::{
    OwnedServerName, ServerName,
    api::federation::membership::{
        RawStrippedState, create_knock_event::v1 as create_knock_event,
        prepare_knock_event::v1 as prepare_knock_event,
    },
    events::{AnyStrippedStateEvent, room::member::MembershipState},
    serde::Raw,
};
use selvedge_durable_objects::{
    federation::{self, Bounds, FederationError},
    matrix_error::MatrixError,
    rpc::user::SetMembership,
};
use selvedge_protocol::{event::Pdu, room_version, stripped_state::strip};
use serde_json::value::RawValue;

use super::handshake::{Proposal, Refusals, Wish, candidates, sign};
use crate::{context::Ctx, federation::invite::stripped_of};

/// How long one question to a server may take, in milliseconds.
const TIMEOUT_MS: u32 = 20_000;
/// How many events are kept of what the server tells of the room.
const MAX_STATE: usize = 100;

/// Knocks through one of the servers, in order.
pub async fn knock(ctx: &Ctx, wish: &Wish<'_>, via: &[OwnedServerName]) -> Result<(), MatrixError> {
    let mut refusals = Refusals::new();
    for server in candidates(ctx, via) {
        let (event, state) = match through(ctx, wish, &server).await {
            Ok(knocked) => knocked,
            Err(error) => {
                refusals.add(&server, error)?;
                continue;
            }
        };
        let shown = state.iter().take(MAX_STATE).filter_map(|event| {
            let json = serde_json::value::to_raw_value(event).ok()?;
            stripped_of(&json)
        });
        let mut stripped_state: Vec<Raw<AnyStrippedStateEvent>> = shown.collect();
        let own = strip(&event).and_then(|json| RawValue::from_string(json).ok());
        stripped_state.extend(own.map(Raw::from_json));
        let command = SetMembership {
            room_id: wish.room_id.to_owned(),
            membership: MembershipState::Knock,
            position: None,
            sender: wish.user_id.clone(),
            stripped_state,
            event: None,
            predecessor: None,
        };
        return ctx.call(wish.user_id.localpart(), &command).await;
    }
    Err(refusals.into_error(wish.room_id))
}

async fn through(
    ctx: &Ctx,
    wish: &Wish<'_>,
    server: &ServerName,
) -> Result<(Pdu, Vec<RawStrippedState>), FederationError> {
    let platform = ctx.platform.as_ref();
    let bounds = Bounds { timeout_ms: TIMEOUT_MS, ..Bounds::default() };
    let mut request = prepare_knock_event::Request::new(wish.room_id.to_owned(), wish.user_id.clone());
    request.ver = room_version::SUPPORTED.to_vec();
    let proposed = federation::send(platform, server, request, bounds).await?;
    let proposal = Proposal { version: Some(proposed.room_version), event: proposed.event };
    let (event, _) = sign(ctx, wish, &proposal, server).await?;
    let json = RawValue::from_string(event.json().to_owned())
        .map_err(|error| FederationError::Internal(error.into()))?;
    let id = event.event_id().to_owned();
    let request = create_knock_event::Request::new(wish.room_id.to_owned(), id, json);
    let answer = federation::send(platform, server, request, bounds).await?;
    Ok((event, answer.knock_room_state))
}
