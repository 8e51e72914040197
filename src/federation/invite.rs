//! Other servers invite users of this one `[S-S §13]`.

use ruma::{
    RoomId, RoomVersionId, UserId,
    api::{
        error::ErrorCode,
        federation::membership::{RawStrippedState, create_invite::v2 as create_invite},
    },
    events::{AnyStrippedStateEvent, room::member::MembershipState},
    room_version_rules::RoomVersionRules,
    serde::Raw,
};
use selvedge_durable_objects::{
    concurrent::{ALL, each},
    federation::verify::{verify_parsed, verify_pdu},
    matrix_error::MatrixError,
    rpc::{
        room::AdmitsServer,
        user::{PrepareInvitation, SetMembership},
    },
    signing::server_keys,
};
use selvedge_protocol::{event::Pdu, stripped_state::strip};
use serde_json::{json, value::RawValue};

use super::pdu::Version;
use crate::{answer::Json, context::Ctx, extract::FederationAuth, router::Incoming};

/// How many state events an invitation may bring.
const MAX_STATE: usize = 100;

/// `PUT /_matrix/federation/v2/invite/{roomId}/{eventId}`
pub async fn create_invite(
    ctx: Ctx,
    auth: FederationAuth,
    request: create_invite::Request,
) -> Result<create_invite::Response, MatrixError> {
    let version = Version::of(request.room_version.clone()).ok_or_else(|| {
        let text = "This server does not speak the room's version";
        let error = MatrixError::new(400, ErrorCode::IncompatibleRoomVersion, text);
        error.with("room_version", json!(request.room_version))
    })?;
    let event = Pdu::parse(request.event.get(), &version.rules)
        .map_err(|error| MatrixError::invalid_param(format!("Not an event: {error}")))?;
    if *event.event_id() != *request.event_id || *event.room_id() != *request.room_id {
        return Err(MatrixError::invalid_param("The event is not the one that the path names"));
    }
    let signed = accept(&ctx, &auth, event, request.invite_room_state, &version.rules).await?;
    Ok(create_invite::Response::new(signed))
}

/// `PUT /_matrix/federation/v1/invite/{roomId}/{eventId}`: the older form, for room versions 1 and 2, with the event as
/// the body, and the answer in a pair with a status.
pub async fn create_invite_v1(
    ctx: Ctx,
    auth: FederationAuth,
    incoming: Incoming,
) -> Result<Json, MatrixError> {
    #[derive(serde::Deserialize)]
    struct Body {
        #[serde(default)]
        unsigned: Unsigned,
    }
    #[derive(Default, serde::Deserialize)]
    struct Unsigned {
        #[serde(default)]
        invite_room_state: Vec<RawStrippedState>,
    }
    let version = Version::of(RoomVersionId::V1)
        .ok_or_else(|| MatrixError::internal("The first room version is not spoken"))?;
    let json = std::str::from_utf8(incoming.request.body())
        .map_err(|_| MatrixError::not_json("The body is not UTF-8"))?;
    let body: Body = serde_json::from_str(json).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    let event = Pdu::parse(json, &version.rules)
        .map_err(|error| MatrixError::invalid_param(format!("Not an event: {error}")))?;
    let signed = accept(&ctx, &auth, event, body.unsigned.invite_room_state, &version.rules).await?;
    Ok(Json(json!([200, { "event": signed }]).to_string()))
}

/// Checks an invitation, tells the user of it, and signs it.
async fn accept(
    ctx: &Ctx,
    auth: &FederationAuth,
    event: Pdu,
    state: Vec<RawStrippedState>,
    rules: &RoomVersionRules,
) -> Result<Box<RawValue>, MatrixError> {
    let user_id = invited_user(ctx, auth, &event)?.to_owned();
    let stripped = check_state(ctx, event.room_id(), state, rules).await?;
    let event = verify_parsed(ctx.platform.as_ref(), event, rules)
        .await
        .map_err(|error| MatrixError::invalid_param(error.to_string()))?
        .into_pdu();
    ctx.call(user_id.localpart(), &PrepareInvitation { inviter: event.sender().to_owned() }).await?;
    let room_id = event.room_id().to_owned();
    let server = ctx.config.server_name.clone();
    // A room that this server takes part in tells its users by itself, when it gets the event.
    if !ctx.call(&room_id, &AdmitsServer { server }).await? {
        let mut stripped_state = stripped;
        stripped_state.extend(strip(&event).and_then(raw));
        let command = SetMembership {
            room_id,
            membership: MembershipState::Invite,
            position: None,
            sender: event.sender().to_owned(),
            stripped_state,
            event: None,
            predecessor: None,
        };
        ctx.call(user_id.localpart(), &command).await?;
    }
    let keys = server_keys(ctx.platform.as_ref()).await?;
    let signed = event
        .co_sign(ctx.server_name(), &keys.pair, rules)
        .map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    Ok(RawValue::from_string(signed.into_json())?)
}

fn raw(json: String) -> Option<Raw<AnyStrippedStateEvent>> {
    RawValue::from_string(json).ok().map(Raw::from_json)
}

/// The user of this server whom the event invites. `M_INVALID_PARAM` for any other event: this server's signature must
/// stand under nothing else.
fn invited_user<'e>(ctx: &Ctx, auth: &FederationAuth, event: &'e Pdu) -> Result<&'e UserId, MatrixError> {
    if event.event_type() != "m.room.member" || event.content_str("membership").as_deref() != Some("invite") {
        return Err(MatrixError::invalid_param("The event is not an invitation"));
    }
    if event.sender().server_name() != auth.origin {
        return Err(MatrixError::invalid_param("The event's sender is not of your server"));
    }
    let user = event.state_key().and_then(|key| <&UserId>::try_from(key).ok());
    user.filter(|user| user.server_name() == ctx.server_name())
        .ok_or_else(|| MatrixError::invalid_param("The invited user is not of this server"))
}

/// Checks what the invitation tells of the room, and makes of it what clients see. Rooms that are named after their
/// create event must show it; older ones may be told of as before, in stripped form.
async fn check_state(
    ctx: &Ctx,
    room_id: &RoomId,
    state: Vec<RawStrippedState>,
    rules: &RoomVersionRules,
) -> Result<Vec<Raw<AnyStrippedStateEvent>>, MatrixError> {
    if state.len() > MAX_STATE {
        return Err(MatrixError::invalid_param("The invitation brings too many events"));
    }
    let is_strict = !rules.event_format.require_room_create_room_id;
    let checked = each(ALL, state, |event| async move {
        match event {
            RawStrippedState::Pdu(json) => {
                let verified = verify_pdu(ctx.platform.as_ref(), json.get(), rules).await;
                let event = verified.ok().filter(|event| *event.room_id() == *room_id);
                match event {
                    Some(event) => Some((event.is_state("m.room.create", ""), strip(&event).and_then(raw)?)),
                    None if is_strict => None,
                    None => Some((false, stripped_of(&json)?)),
                }
            }
            other if is_strict => {
                drop(other);
                None
            }
            other => {
                let json = serde_json::value::to_raw_value(&other).ok()?;
                Some((false, stripped_of(&json)?))
            }
        }
    });
    let checked = checked.await;
    let is_right =
        checked.iter().all(Option::is_some) && checked.iter().flatten().any(|(is_create, _)| *is_create);
    if is_strict && !is_right {
        let text = "invite_room_state must hold the create event, and whole events of the room only";
        return Err(MatrixError::invalid_param(text));
    }
    Ok(checked.into_iter().flatten().map(|(_, event)| event).collect())
}

/// The members of a stripped state event, of JSON that has at least these.
pub fn stripped_of(json: &RawValue) -> Option<Raw<AnyStrippedStateEvent>> {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Stripped {
        content: Box<RawValue>,
        sender: ruma::OwnedUserId,
        state_key: String,
        #[serde(rename = "type")]
        event_type: String,
    }
    let stripped: Stripped = serde_json::from_str(json.get()).ok()?;
    raw(serde_json::to_string(&stripped).ok()?)
}
