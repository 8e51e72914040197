//! What other servers have to do for this one's clients.

mod handshake;
mod invite;
mod join;
mod knock;
mod leave;
mod room_answer;

use ruma::{
    OwnedServerName, RoomAliasId, RoomId, ServerName,
    api::{
        error::ErrorCode,
        federation::{
            directory::get_public_rooms_filtered::v1 as get_public_rooms_filtered,
            query::get_room_information::v1 as get_room_information,
        },
    },
    events::room::member::MembershipState,
};
use selvedge_durable_objects::{
    federation::{self, Bounds, FederationError},
    matrix_error::MatrixError,
    rpc::{
        directory::{ListPublishedRooms, PublishedRooms},
        room::{ChangeMembership, MembershipAction},
        user::GetMembership,
    },
};

use self::handshake::Wish;
pub use self::invite::invite;
use super::room_alias::Resolved;
use crate::context::Ctx;

/// Asks the server of an alias for its room `[S-S §15]`. `M_NOT_FOUND`.
pub async fn resolve_room_alias(ctx: &Ctx, alias: &RoomAliasId) -> Result<Resolved, MatrixError> {
    let request = get_room_information::Request::new(alias.to_owned());
    let answer =
        federation::send(ctx.platform.as_ref(), alias.server_name(), request, Bounds::default()).await;
    match answer {
        Ok(answer) => Ok(Resolved { room_id: answer.room_id, servers: answer.servers }),
        Err(FederationError::Internal(error)) => Err(error),
        Err(FederationError::Refused(error)) if error.is(&ErrorCode::NotFound) => Err(error),
        Err(error) => Err(MatrixError::not_found(format!("{alias} cannot be resolved: {error}"))),
    }
}

/// Asks another server for a page of its published rooms `[S-S §14]`.
pub async fn list_published_rooms(
    ctx: &Ctx,
    server: &ServerName,
    query: ListPublishedRooms,
) -> Result<PublishedRooms, MatrixError> {
    let mut request = get_public_rooms_filtered::Request::new();
    request.limit = Some(query.limit.into());
    request.since = query.since;
    request.filter = query.filter;
    request.room_network = query.room_network;
    let answer = federation::send(ctx.platform.as_ref(), server, request, Bounds::default()).await?;
    Ok(PublishedRooms {
        total: answer.total_room_count_estimate.map_or(0, u64::from),
        chunk: answer.chunk,
        next_batch: answer.next_batch,
        prev_batch: answer.prev_batch,
    })
}

/// Joins, knocks at or leaves a room through a server that takes part in it: `via`, in order. `M_NOT_FOUND` when no
/// server is known to.
pub async fn change_membership(
    ctx: &Ctx,
    room_id: &RoomId,
    command: &ChangeMembership,
    via: &[OwnedServerName],
) -> Result<(), MatrixError> {
    let mut content = command.content.clone();
    content.remove("join_authorised_via_users_server");
    let avatar_url = command.profile.avatar_url.as_ref().map(ToString::to_string);
    for (name, value) in [("displayname", command.profile.displayname.clone()), ("avatar_url", avatar_url)] {
        if let Some(value) = value {
            content.entry(name).or_insert(value.into());
        }
    }
    let wish = |membership| Wish { room_id, user_id: &command.sender, membership, content: &content };
    // Who invited the user takes part, or did.
    let known = ctx.call(command.sender.localpart(), &GetMembership { room_id: room_id.to_owned() }).await?;
    let inviter = known.filter(|known| known.membership == MembershipState::Invite);
    let mut via = via.to_vec();
    via.extend(inviter.map(|known| known.sender.server_name().to_owned()));
    if via.is_empty() {
        via.extend(room_id.server_name().map(ToOwned::to_owned));
    }
    match command.action {
        MembershipAction::Join => join::join(ctx, &wish(MembershipState::Join), command, &via).await,
        MembershipAction::Knock => knock::knock(ctx, &wish(MembershipState::Knock), &via).await,
        MembershipAction::Leave => leave::leave(ctx, &wish(MembershipState::Leave), &via).await,
        _ => Err(MatrixError::forbidden("You are not in this room")),
    }
}
