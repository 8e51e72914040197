//! Inviting users of other servers `[S-S §13]`.

use ruma::{
    RoomId, ServerName,
    api::federation::membership::{RawStrippedState, create_invite::v2 as create_invite},
};
use selvedge_durable_objects::{
    federation::{self, Bounds, FederationError, verify::verify_parsed},
    matrix_error::MatrixError,
    rpc::room::{ChangeMembership, CheckedEvent, CommitInvitation, DraftInvitation, DraftedInvitation},
};
use selvedge_protocol::event::{Pdu, signatures_of};

use crate::{context::Ctx, federation::pdu::Version};

/// How long the other server may take, in milliseconds.
const TIMEOUT_MS: u32 = 20_000;

/// Has the server of the invited user sign the invitation, then commits it.
pub async fn invite(ctx: &Ctx, room_id: &RoomId, command: &ChangeMembership) -> Result<(), MatrixError> {
    let mut content = command.content.clone();
    for (name, value) in [
        ("displayname", command.profile.displayname.clone()),
        ("avatar_url", command.profile.avatar_url.as_ref().map(ToString::to_string)),
    ] {
        if let Some(value) = value {
            content.entry(name).or_insert(value.into());
        }
    }
    let draft = DraftInvitation { sender: command.sender.clone(), target: command.target.clone(), content };
    let drafted = ctx.call(&room_id.to_owned(), &draft).await?;
    let server = command.target.server_name();
    let event = agree(ctx, room_id, server, drafted).await?;
    ctx.call(&room_id.to_owned(), &CommitInvitation { event }).await
}

/// The invitation with the other server's signature.
async fn agree(
    ctx: &Ctx,
    room_id: &RoomId,
    server: &ServerName,
    drafted: DraftedInvitation,
) -> Result<CheckedEvent, MatrixError> {
    let bad =
        |reason: String| MatrixError::from(FederationError::BadAnswer { server: server.to_string(), reason });
    let version = Version::of(drafted.version.clone())
        .ok_or_else(|| MatrixError::internal("A room of a version that is not spoken"))?;
    let own = Pdu::parse(drafted.event.get(), &version.rules)
        .map_err(|error| MatrixError::internal(format!("A draft is not an event: {error}")))?;
    let state = drafted.room_state.into_iter().map(RawStrippedState::Pdu).collect();
    let event_id = own.event_id().to_owned();
    let request =
        create_invite::Request::new(room_id.to_owned(), event_id, drafted.version, drafted.event, state);
    let bounds = Bounds { timeout_ms: TIMEOUT_MS, ..Bounds::default() };
    let answer = federation::send(ctx.platform.as_ref(), server, request, bounds).await?;
    let signed = Pdu::parse(answer.event.get(), &version.rules).map_err(|error| bad(error.to_string()))?;
    if signed.event_id() != own.event_id() || signed.content_json() != own.content_json() {
        return Err(bad("it signed another event".to_owned()));
    }
    if signatures_of(&signed, server).is_empty() {
        return Err(bad("it did not sign the invitation".to_owned()));
    }
    let verified = verify_parsed(ctx.platform.as_ref(), signed, &version.rules).await;
    CheckedEvent::new(verified.map_err(|error| bad(error.to_string()))?)
}
