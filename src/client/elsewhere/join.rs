//! Joining a room through a server that takes part in it `[S-S §10]`.

use ruma::{
    OwnedServerName, ServerName,
    api::federation::membership::{
        create_join_event::v2 as create_join_event, prepare_join_event::v1 as prepare_join_event,
    },
};
use selvedge_durable_objects::{
    federation::{self, Bounds, FederationError, verify::verify_parsed},
    matrix_error::MatrixError,
    rpc::room::{
        ChangeMembership, CheckedEvent, FinishImport, MembershipOutcome, ReceivePdus, ReleaseImport,
        Reservation, ReserveImport,
    },
};
use selvedge_protocol::{
    event::{Pdu, VerifiedPdu},
    room_version,
};
use serde_json::value::RawValue;

use super::{
    handshake::{Proposal, Refusals, Wish, candidates, sign},
    room_answer::{self, Import},
};
use crate::{context::Ctx, federation::pdu::Version};

/// How long a server may take to answer `make_join`, in milliseconds: there may be others.
const MAKE_TIMEOUT_MS: u32 = 15_000;
/// How long the answer to `send_join` may take to begin, and to go on, in milliseconds.
const SEND_TIMEOUT_MS: u32 = 120_000;
/// How many bytes the answer to `send_join` may have: a room of a million members.
const MAX_ANSWER: usize = 2 << 30;
/// How long to wait for another join of the same room, in milliseconds, and how often to look.
const MAX_WAIT_MS: u32 = 60_000;
const POLL_MS: u32 = 250;

/// Joins through one of the servers, in order.
pub async fn join(
    ctx: &Ctx,
    wish: &Wish<'_>,
    command: &ChangeMembership,
    via: &[OwnedServerName],
) -> Result<(), MatrixError> {
    let servers = candidates(ctx, via);
    let room_id = wish.room_id.to_owned();
    if servers.is_empty() {
        return Err(Refusals::new().into_error(&room_id));
    }
    let mut waited = 0_u32;
    loop {
        match ctx.call(&room_id, &ReserveImport {}).await? {
            Reservation::Here => return through_any(ctx, wish, &servers, None).await,
            Reservation::Import(token) => {
                let joined = through_any(ctx, wish, &servers, Some(token)).await;
                if joined.is_err() {
                    ctx.call(&room_id, &ReleaseImport { token }).await?;
                }
                return joined;
            }
            Reservation::Busy if waited >= MAX_WAIT_MS => {
                return Err(MatrixError::bad_gateway("Another join of this room takes too long: try again"));
            }
            Reservation::Busy => {
                ctx.platform.sleep(POLL_MS).await;
                waited = waited.saturating_add(POLL_MS);
                // The other join may have made this one a matter of this server alone.
                if let MembershipOutcome::Done(_) = ctx.call(&room_id, command).await? {
                    return Ok(());
                }
            }
        }
    }
}

async fn through_any(
    ctx: &Ctx,
    wish: &Wish<'_>,
    servers: &[OwnedServerName],
    import: Option<u64>,
) -> Result<(), MatrixError> {
    let mut refusals = Refusals::new();
    for server in servers {
        match through(ctx, wish, server, import).await {
            Ok(()) => return Ok(()),
            Err(error) => refusals.add(server, error)?,
        }
    }
    Err(refusals.into_error(wish.room_id))
}

async fn through(
    ctx: &Ctx,
    wish: &Wish<'_>,
    server: &ServerName,
    import: Option<u64>,
) -> Result<(), FederationError> {
    let platform = ctx.platform.as_ref();
    let mut request = prepare_join_event::Request::new(wish.room_id.to_owned(), wish.user_id.clone());
    request.ver = room_version::SUPPORTED.to_vec();
    let bounds = Bounds { timeout_ms: MAKE_TIMEOUT_MS, ..Bounds::default() };
    let proposed = federation::send(platform, server, request, bounds).await?;
    let proposal = Proposal { version: proposed.room_version, event: proposed.event };
    let (event, version) = sign(ctx, wish, &proposal, server).await?;
    let json = raw(event.json())?;
    let id = event.event_id().to_owned();
    let mut request = create_join_event::Request::new(wish.room_id.to_owned(), id, json);
    // The members can come later, when the user is in the room already.
    request.omit_members = true;
    let bounds = Bounds { timeout_ms: SEND_TIMEOUT_MS, max_bytes: MAX_ANSWER };
    let body = federation::open(platform, server, request, bounds).await?;
    let taken_in = async {
        let import = import.map(|token| Import { token, version: &version });
        let rest = room_answer::read(ctx, wish, body, import).await?;
        let without_members = rest.members_omitted.then(|| {
            let others = rest.servers.iter().filter(|name| *name != server && *name != ctx.server_name());
            std::iter::once(server).chain(others.map(AsRef::as_ref)).map(ToOwned::to_owned).collect()
        });
        let event = signed_by_both(ctx, event, rest.event.as_deref(), &version).await?;
        let event = VerifiedPdu::vouched_for(event, false);
        let join = CheckedEvent::new(event).map_err(FederationError::Internal)?;
        let done = match import {
            Some(Import { token, .. }) => {
                ctx.call(&wish.room_id.to_owned(), &FinishImport { token, join, without_members }).await
            }
            None => receive(ctx, wish, server, join).await,
        };
        done.map_err(FederationError::Internal)
    };
    // What the room finds wrong with the answer is wrong with the server that gave it.
    taken_in.await.map_err(|error| match error {
        FederationError::Internal(error) if error.status == 403 => FederationError::Refused(error),
        FederationError::Internal(error) if error.status == 502 => {
            FederationError::BadAnswer { server: server.to_string(), reason: error.message.to_string() }
        }
        other => other,
    })
}

fn raw(json: &str) -> Result<Box<RawValue>, FederationError> {
    RawValue::from_string(json.to_owned()).map_err(|error| FederationError::Internal(error.into()))
}

/// The join with the signature of the server that let the user in, if it is the same event and has one.
async fn signed_by_both(
    ctx: &Ctx,
    event: Pdu,
    answered: Option<&str>,
    version: &Version,
) -> Result<Pdu, FederationError> {
    let Some(answered) = answered.and_then(|json| Pdu::parse(json, &version.rules).ok()) else {
        return Ok(event);
    };
    if answered.event_id() != event.event_id() {
        return Ok(event);
    }
    match verify_parsed(ctx.platform.as_ref(), answered, &version.rules).await {
        Ok(verified) if !verified.content_lost() => Ok(verified.into_pdu()),
        _ => Ok(event),
    }
}

/// Hands the join to a room that is here already.
async fn receive(
    ctx: &Ctx,
    wish: &Wish<'_>,
    server: &ServerName,
    join: CheckedEvent,
) -> Result<(), MatrixError> {
    let command = ReceivePdus { origin: server.to_owned(), pdus: vec![join] };
    let refusal = ctx.call(&wish.room_id.to_owned(), &command).await?.into_iter().flatten().next();
    refusal.map_or(Ok(()), |reason| Err(MatrixError::forbidden(reason)))
}
