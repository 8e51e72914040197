//! Joining a room through a server that takes part in it `[S-S §10]`.

use ruma::{
    OwnedServerName, ServerName,
    api::federation::membership::{
        create_join_event::v2 as create_join_event, prepare_join_event::v1 as prepare_join_event,
    },
};
use selvedge_durable_objects::{
    federation::{
        self, Bounds, FederationError,
        verify::{verify_parsed, verify_pdus},
    },
    matrix_error::MatrixError,
    rpc::room::{
        BeginImport, ChangeMembership, CheckedEvent, FinishImport, ImportPiece, MembershipOutcome,
        ReceivePdus, ReleaseImport, Reservation, ReserveImport,
    },
};
use selvedge_protocol::{
    event::{Pdu, VerifiedPdu},
    room_version,
};
use serde_json::value::RawValue;

use super::handshake::{Proposal, Refusals, Wish, candidates, sign};
use crate::{context::Ctx, federation::pdu::Version};

/// How long a server may take to answer `make_join`, in milliseconds: there may be others.
const MAKE_TIMEOUT_MS: u32 = 15_000;
/// How long the answer to `send_join` may take, in milliseconds.
const SEND_TIMEOUT_MS: u32 = 120_000;
/// How many bytes the answer to `send_join` may have.
const MAX_ANSWER: usize = 64 << 20;
/// How many events are verified and handed to the room at a time.
const PIECE: usize = 500;
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
    let request = create_join_event::Request::new(wish.room_id.to_owned(), event.event_id().to_owned(), json);
    let bounds = Bounds { timeout_ms: SEND_TIMEOUT_MS, max_bytes: MAX_ANSWER };
    let answer = federation::send(platform, server, request, bounds).await?.room_state;
    let event = signed_by_both(ctx, event, answer.event.as_deref(), &version).await?;
    let event = VerifiedPdu::vouched_for(event, false);
    let join = CheckedEvent::new(event).map_err(FederationError::Internal)?;
    let taken_in = match import {
        Some(token) => {
            let chain = answer.auth_chain;
            import_room(ctx, wish, Import { token, version, auth_chain: chain, state: answer.state, join })
                .await
        }
        None => receive(ctx, wish, server, join).await,
    };
    taken_in.map_err(|error| match error.status {
        403 | 502 => FederationError::BadAnswer { server: server.to_string(), reason: error.message },
        _ => FederationError::Internal(error),
    })
}

fn raw(json: &str) -> Result<Box<RawValue>, FederationError> {
    RawValue::from_string(json.to_owned()).map_err(|error| FederationError::Internal(error.into()))
}

/// The join with the signature of the server that let the user in, if it is the same event and has one.
async fn signed_by_both(
    ctx: &Ctx,
    event: Pdu,
    answered: Option<&RawValue>,
    version: &Version,
) -> Result<Pdu, FederationError> {
    let Some(answered) = answered.and_then(|json| Pdu::parse(json.get(), &version.rules).ok()) else {
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

/// What a server answered to a join.
struct Import {
    token: u64,
    version: Version,
    auth_chain: Vec<Box<RawValue>>,
    state: Vec<Box<RawValue>>,
    join: CheckedEvent,
}

async fn import_room(ctx: &Ctx, wish: &Wish<'_>, import: Import) -> Result<(), MatrixError> {
    let room_id = wish.room_id.to_owned();
    let Import { token, version, auth_chain, state, join } = import;
    ctx.call(&room_id, &BeginImport { token, version: version.id.clone() }).await?;
    // First the create event: in room versions that are named after it no other cites it, and all depend on it.
    let (create, auth_chain): (Vec<_>, Vec<_>) = auth_chain.into_iter().partition(|event| is_create(event));
    let (create_state, state): (Vec<_>, Vec<_>) = state.into_iter().partition(|event| is_create(event));
    let first = ImportPiece {
        token,
        auth_chain: checked(ctx, &create, &version).await?,
        state: checked(ctx, &create_state, &version).await?,
    };
    ctx.call(&room_id, &first).await?;
    for piece in auth_chain.chunks(PIECE) {
        let auth_chain = checked(ctx, piece, &version).await?;
        ctx.call(&room_id, &ImportPiece { token, auth_chain, state: Vec::new() }).await?;
    }
    for piece in state.chunks(PIECE) {
        let state = checked(ctx, piece, &version).await?;
        ctx.call(&room_id, &ImportPiece { token, auth_chain: Vec::new(), state }).await?;
    }
    ctx.call(&room_id, &FinishImport { token, join }).await
}

/// Whether an event says that it is the room's create event.
fn is_create(event: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Typed<'e> {
        #[serde(rename = "type", borrow)]
        event_type: std::borrow::Cow<'e, str>,
    }
    serde_json::from_str::<Typed<'_>>(event.get()).is_ok_and(|event| event.event_type == "m.room.create")
}

/// Verifies events; those that are not what they claim to be are left out.
async fn checked(
    ctx: &Ctx,
    events: &[Box<RawValue>],
    version: &Version,
) -> Result<Vec<CheckedEvent>, MatrixError> {
    let events = events.iter().map(|event| event.get());
    let verified = verify_pdus(ctx.platform.as_ref(), events, &version.rules).await;
    verified.into_iter().flatten().map(CheckedEvent::new).collect()
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
