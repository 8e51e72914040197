//! Invitations that were promised to an address, once it is known whose it is `[S-S §13.2]`.
//!
//! Nobody is believed here: what entitles the invitation is the signature of the key that the room's
//! `m.room.third_party_invite` names, which the rules of authorisation ask for.

use ruma::{
    OwnedUserId, RoomId,
    api::federation::thirdparty::{
        bind_callback::v1 as bind_callback, exchange_invite::v1 as exchange_invite,
    },
    events::{
        StateEventType,
        room::member::{SignedContent, ThirdPartyInvite},
    },
    serde::Raw,
};
use selvedge_durable_objects::{
    federation::{self, Bounds},
    log,
    matrix_error::MatrixError,
    rpc::{
        room::{ChangeMembership, MemberProfile, MembershipAction, MembershipOutcome},
        user::PrepareInvitation,
    },
};
use serde_json::{Map, Value, json};

use crate::{
    client::elsewhere,
    context::Ctx,
    extract::{FederationAuth, NoAuth},
    throttle::{self, Limit},
};

/// How many invitations one address may be promised.
const MAX_INVITES: usize = 20;
/// The longest display name, in bytes.
const MAX_NAME: usize = 255;

/// `PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}`: the server of an invited user asks for the
/// invitation that a user of this server promised.
pub async fn exchange_invite(
    ctx: Ctx,
    auth: FederationAuth,
    request: exchange_invite::Request,
) -> Result<exchange_invite::Response, MatrixError> {
    #[derive(serde::Deserialize)]
    struct Content {
        membership: String,
        third_party_invite: Invite,
    }
    #[derive(serde::Deserialize)]
    struct Invite {
        display_name: String,
        signed: Raw<SignedContent>,
    }
    if request.state_key.server_name() != auth.origin {
        return Err(MatrixError::forbidden("The invited user is not of your server"));
    }
    if request.sender.server_name() != ctx.server_name() {
        return Err(MatrixError::forbidden("The sender is not a user of this server"));
    }
    let malformed = || MatrixError::invalid_param("Not an invitation by a third party");
    let content: Content = serde_json::from_str(request.content.json().get()).map_err(|_| malformed())?;
    let Content { membership, third_party_invite: Invite { display_name, signed } } = content;
    if request.kind != StateEventType::RoomMember || membership != "invite" || display_name.len() > MAX_NAME {
        return Err(malformed());
    }
    let invitation = Promise { sender: request.sender, target: request.state_key, display_name, signed };
    keep(&ctx, &request.room_id, invitation).await?;
    Ok(exchange_invite::Response::new())
}

/// `PUT /_matrix/federation/v1/3pid/onbind`: an identity server tells what a user of this server was promised before
/// it was known whose the address is. What cannot be kept is passed over.
pub async fn bind_callback(
    ctx: Ctx,
    _: NoAuth,
    request: bind_callback::Request,
) -> Result<bind_callback::Response, MatrixError> {
    throttle::charge(&ctx, Limit::ThirdPartyBinding)?;
    let target = request.mxid;
    if target.server_name() != ctx.server_name() {
        return Err(MatrixError::forbidden("The user is not of this server"));
    }
    if request.invites.len() > MAX_INVITES {
        return Err(MatrixError::invalid_param("Too many invitations"));
    }
    for invite in request.invites.into_iter().filter(|invite| invite.mxid == target) {
        // `M_NOT_FOUND` for a user who does not exist: then there is nobody to ask others for.
        let prepare = PrepareInvitation { inviter: invite.sender.clone() };
        ctx.call(target.localpart(), &prepare).await?;
        let display_name = target.localpart().to_owned();
        let promise =
            Promise { sender: invite.sender, target: target.clone(), display_name, signed: invite.signed };
        if let Err(error) = claim(&ctx, &invite.room_id, promise).await {
            log::warn("third-party invite", &error.to_string());
        }
    }
    Ok(bind_callback::Response::new())
}

/// An invitation that was promised.
struct Promise {
    /// Who promised it.
    sender: OwnedUserId,
    /// Who is invited.
    target: OwnedUserId,
    display_name: String,
    /// What the identity server signed.
    signed: Raw<SignedContent>,
}

/// Has a promise kept by the server of who made it.
async fn claim(ctx: &Ctx, room_id: &RoomId, promise: Promise) -> Result<(), MatrixError> {
    if promise.sender.server_name() == ctx.server_name() {
        return keep(ctx, room_id, promise).await;
    }
    let server = promise.sender.server_name().to_owned();
    let invite = ThirdPartyInvite::new(promise.display_name, promise.signed);
    let request = exchange_invite::Request::with_third_party_invite(
        room_id.to_owned(),
        promise.sender,
        promise.target,
        invite,
    )?;
    federation::send(ctx.platform.as_ref(), &server, request, Bounds::default()).await?;
    Ok(())
}

/// Invites in the name of a user of this server, who promised it.
async fn keep(ctx: &Ctx, room_id: &RoomId, promise: Promise) -> Result<(), MatrixError> {
    let Promise { sender, target, display_name, signed } = promise;
    let signed: Value = serde_json::from_str(signed.json().get())?;
    let invite = json!({ "display_name": display_name, "signed": signed });
    let command = ChangeMembership {
        sender,
        target,
        action: MembershipAction::Invite,
        profile: MemberProfile::default(),
        content: Map::from_iter([("third_party_invite".to_owned(), invite)]),
        is_guest: false,
        renews: false,
        third_party_signed: None,
    };
    match ctx.call(&room_id.to_owned(), &command).await? {
        MembershipOutcome::NeedsInvitation => elsewhere::invite(ctx, room_id, &command).await,
        MembershipOutcome::Done(_) => Ok(()),
        MembershipOutcome::NeedsServer(_) => {
            Err(MatrixError::not_found("This server takes no part in the room"))
        }
    }
}
