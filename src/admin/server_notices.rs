//! Notices of the server to its users `[C-S §11.35]`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedRoomId, OwnedUserId, events::room::member::MembershipState};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    platform::random,
    rpc::{
        room::{ChangeMembership, GetMembership, MemberProfile, MembershipAction, SendMessage, SendState},
        user::{GetNoticeRoom, KeepNoticeRoom},
    },
};
use selvedge_protocol::room_creation::{Preset, RoomCreation};
use serde::Deserialize;
use serde_json::{Map, json, value::RawValue};

use super::body;
use crate::{
    answer::Json,
    client::{
        invitee::member_profile,
        room::{Founder, create_for},
    },
    context::Ctx,
    extract::ServerAdmin,
    router::Incoming,
};

/// How the sender and the room are called.
const NAME: &str = "Server notices";

#[derive(Deserialize)]
struct Notice {
    user_id: OwnedUserId,
    content: Box<RawValue>,
    #[serde(rename = "type", default = "message")]
    event_type: String,
    state_key: Option<String>,
}

fn message() -> String {
    "m.room.message".to_owned()
}

/// `POST /_synapse/admin/v1/send_server_notice`, and `PUT .../{txnId}`, which sends once however often it is repeated.
pub async fn send(ctx: Ctx, admin: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let notice: Notice = body(&incoming)?;
    if notice.user_id.server_name() != ctx.server_name() {
        return Err(MatrixError::bad_request("Notices go to users of this server only"));
    }
    let profile = member_profile(&ctx, &notice.user_id).await?;
    let room_id = notice_room(&ctx, &notice.user_id).await?;
    invite(&ctx, &room_id, &notice.user_id, profile).await?;
    let sender = ctx.config.notices_user.clone();
    let event_id = if let Some(state_key) = notice.state_key {
        let Notice { event_type, content, .. } = notice;
        ctx.call(&room_id, &SendState { sender, event_type, state_key, content, timestamp: None }).await?
    } else {
        let txn_id = incoming.path_args.into_iter().next();
        let once = || URL_SAFE_NO_PAD.encode(random::<12>(ctx.platform.as_ref()));
        let command = SendMessage {
            sender,
            // The scope of the transaction: each administrator counts their own.
            device_id: admin.user_id.as_ref().map_or("operator", |user| user.as_str()).into(),
            txn_id: txn_id.unwrap_or_else(once),
            event_type: notice.event_type,
            content: notice.content,
            timestamp: None,
        };
        ctx.call(&room_id, &command).await?
    };
    Ok(Json(json!({"event_id": event_id}).to_string()))
}

/// The user's notice room, made if there is none. Two notices at the same time make two rooms, one of which is kept.
async fn notice_room(ctx: &Ctx, user_id: &OwnedUserId) -> Result<OwnedRoomId, MatrixError> {
    if let Some(room_id) = ctx.call(user_id.localpart(), &GetNoticeRoom {}).await? {
        return Ok(room_id);
    }
    let plan = RoomCreation {
        version: ctx.config.default_room_version.clone(),
        creator: ctx.config.notices_user.clone(),
        preset: Preset::Private,
        creation_content: Map::from_iter([("m.federate".to_owned(), json!(false))]),
        // Nobody answers.
        power_level_content_override: Map::from_iter([("users_default".to_owned(), json!(-10))]),
        canonical_alias: None,
        initial_state: Vec::new(),
        name: Some(NAME.to_owned()),
        topic: None,
        invite: Vec::new(),
    };
    let founder = Founder { profile: sender_profile(), invite: Vec::new(), is_direct: false };
    let room_id = create_for(ctx, &plan, founder).await?;
    ctx.call(user_id.localpart(), &KeepNoticeRoom { room_id }).await
}

fn sender_profile() -> MemberProfile {
    MemberProfile { displayname: Some(NAME.to_owned()), avatar_url: None }
}

/// Invites the user, unless they are joined or invited.
async fn invite(
    ctx: &Ctx,
    room_id: &OwnedRoomId,
    user_id: &OwnedUserId,
    profile: MemberProfile,
) -> Result<(), MatrixError> {
    let membership = ctx.call(room_id, &GetMembership { user_id: user_id.clone() }).await?;
    if matches!(membership, MembershipState::Join | MembershipState::Invite) {
        return Ok(());
    }
    let command = ChangeMembership {
        sender: ctx.config.notices_user.clone(),
        target: user_id.clone(),
        action: MembershipAction::Invite,
        profile,
        content: Map::new(),
        is_guest: false,
        renews: false,
        third_party_signed: None,
    };
    ctx.call(room_id, &command).await.map(|_| ())
}
