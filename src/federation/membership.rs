//! Other servers' users join, leave and knock at rooms that this server takes part in `[S-S §10, §12, §14]`.

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, RoomVersionId, ServerName, UserId,
    api::federation::membership::{
        RawStrippedState, create_join_event::v2 as create_join_event,
        create_knock_event::v1 as create_knock_event, create_leave_event::v2 as create_leave_event,
        prepare_join_event::v1 as prepare_join_event, prepare_knock_event::v1 as prepare_knock_event,
        prepare_leave_event::v1 as prepare_leave_event,
    },
    events::room::member::MembershipState,
};
use selvedge_durable_objects::{
    federation::verify::verify_parsed,
    matrix_error::MatrixError,
    rpc::room::{
        AcceptMembership, AcceptedMembership, CheckedEvent, ProposeMembership, ProposedMembership,
        WantedAnswer,
    },
    signing::server_keys,
};
use selvedge_protocol::event::Pdu;

use super::pdu::{Version, version_of};
use crate::{answer::Json, context::Ctx, extract::FederationAuth, router::Incoming};

/// `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`
pub async fn prepare_join_event(
    ctx: Ctx,
    auth: FederationAuth,
    request: prepare_join_event::Request,
) -> Result<prepare_join_event::Response, MatrixError> {
    let proposed =
        propose(&ctx, auth, request.room_id, request.user_id, MembershipState::Join, request.ver).await?;
    let mut response = prepare_join_event::Response::new(proposed.event);
    response.room_version = Some(proposed.version);
    Ok(response)
}

/// `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`
pub async fn prepare_leave_event(
    ctx: Ctx,
    auth: FederationAuth,
    request: prepare_leave_event::Request,
) -> Result<prepare_leave_event::Response, MatrixError> {
    let leave = MembershipState::Leave;
    let proposed = propose(&ctx, auth, request.room_id, request.user_id, leave, Vec::new()).await?;
    Ok(prepare_leave_event::Response::new(Some(proposed.version), proposed.event))
}

/// `GET /_matrix/federation/v1/make_knock/{roomId}/{userId}`
pub async fn prepare_knock_event(
    ctx: Ctx,
    auth: FederationAuth,
    request: prepare_knock_event::Request,
) -> Result<prepare_knock_event::Response, MatrixError> {
    let proposed =
        propose(&ctx, auth, request.room_id, request.user_id, MembershipState::Knock, request.ver).await?;
    Ok(prepare_knock_event::Response::new(proposed.version, proposed.event))
}

async fn propose(
    ctx: &Ctx,
    auth: FederationAuth,
    room_id: OwnedRoomId,
    user_id: OwnedUserId,
    membership: MembershipState,
    versions: Vec<RoomVersionId>,
) -> Result<ProposedMembership, MatrixError> {
    if user_id.server_name() != auth.origin {
        return Err(MatrixError::forbidden("The user is not of your server"));
    }
    ctx.call(&room_id, &ProposeMembership { server: auth.origin, user_id, membership, versions }).await
}

/// `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`
pub async fn create_join_event(
    ctx: Ctx,
    auth: FederationAuth,
    request: create_join_event::Request,
) -> Result<create_join_event::Response, MatrixError> {
    let wanted = WantedAnswer::State { omit_members: request.omit_members };
    let made = Made { room_id: request.room_id, event_id: request.event_id, json: request.pdu.get() };
    let (event, answer) = accept(&ctx, auth, made, MembershipState::Join, wanted).await?;
    let mut state = create_join_event::RoomState::new();
    state.state = answer.state;
    state.auth_chain = answer.auth_chain;
    state.members_omitted = answer.members_omitted;
    state.event = Some(event);
    state.servers_in_room =
        answer.members_omitted.then(|| answer.servers.iter().map(ToString::to_string).collect());
    Ok(create_join_event::Response::new(state))
}

/// `PUT /_matrix/federation/v1/send_join/{roomId}/{eventId}`: the older form, whose answer is a pair of a status and
/// the state.
pub async fn create_join_event_v1(
    ctx: Ctx,
    auth: FederationAuth,
    incoming: Incoming,
) -> Result<Json, MatrixError> {
    let made = Made::read(&incoming)?;
    let wanted = WantedAnswer::State { omit_members: false };
    let (_, answer) = accept(&ctx, auth, made, MembershipState::Join, wanted).await?;
    let state = serde_json::json!({ "state": answer.state, "auth_chain": answer.auth_chain });
    Ok(Json(serde_json::json!([200, state]).to_string()))
}

/// `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`
pub async fn create_leave_event(
    ctx: Ctx,
    auth: FederationAuth,
    request: create_leave_event::Request,
) -> Result<create_leave_event::Response, MatrixError> {
    let made = Made { room_id: request.room_id, event_id: request.event_id, json: request.pdu.get() };
    accept(&ctx, auth, made, MembershipState::Leave, WantedAnswer::Nothing).await?;
    Ok(create_leave_event::Response::new())
}

/// `PUT /_matrix/federation/v1/send_leave/{roomId}/{eventId}`: the older form.
pub async fn create_leave_event_v1(
    ctx: Ctx,
    auth: FederationAuth,
    incoming: Incoming,
) -> Result<Json, MatrixError> {
    let made = Made::read(&incoming)?;
    accept(&ctx, auth, made, MembershipState::Leave, WantedAnswer::Nothing).await?;
    Ok(Json("[200,{}]".to_owned()))
}

/// `PUT /_matrix/federation/v1/send_knock/{roomId}/{eventId}`
pub async fn create_knock_event(
    ctx: Ctx,
    auth: FederationAuth,
    request: create_knock_event::Request,
) -> Result<create_knock_event::Response, MatrixError> {
    let made = Made { room_id: request.room_id, event_id: request.event_id, json: request.pdu.get() };
    let (_, answer) = accept(&ctx, auth, made, MembershipState::Knock, WantedAnswer::StrippedState).await?;
    Ok(create_knock_event::Response::new(answer.state.into_iter().map(RawStrippedState::Pdu).collect()))
}

/// A member event that another server made, as it came.
struct Made<'r> {
    room_id: OwnedRoomId,
    event_id: OwnedEventId,
    json: &'r str,
}

impl<'r> Made<'r> {
    fn read(incoming: &'r Incoming) -> Result<Self, MatrixError> {
        let malformed = |_| MatrixError::invalid_param("The path names no room or no event");
        let argument = |index: usize| incoming.path_args.get(index).map(String::as_str).unwrap_or_default();
        Ok(Self {
            room_id: OwnedRoomId::try_from(argument(0)).map_err(malformed)?,
            event_id: OwnedEventId::try_from(argument(1)).map_err(malformed)?,
            json: std::str::from_utf8(incoming.request.body())
                .map_err(|_| MatrixError::not_json("The body is not UTF-8"))?,
        })
    }
}

/// Checks a member event, and has its room take it in. Also the event, with all signatures.
async fn accept(
    ctx: &Ctx,
    auth: FederationAuth,
    made: Made<'_>,
    membership: MembershipState,
    answer: WantedAnswer,
) -> Result<(Box<serde_json::value::RawValue>, AcceptedMembership), MatrixError> {
    let version = version_of(ctx, &made.room_id).await?;
    let version = version.ok_or_else(|| MatrixError::not_found("This server takes no part in the room"))?;
    let event = read_member_event(&auth.origin, &made, &membership, &version)?;
    let event = verify(ctx, event, &version).await?;
    let json = event.json.clone();
    let command = AcceptMembership { server: auth.origin, event, answer };
    let mut accepted = ctx.call(&made.room_id, &command).await?;
    let event = accepted.event.take().unwrap_or(json);
    Ok((event, accepted))
}

/// `M_INVALID_PARAM` for an event that is not what the endpoint is for.
fn read_member_event(
    origin: &ServerName,
    made: &Made<'_>,
    membership: &MembershipState,
    version: &Version,
) -> Result<Pdu, MatrixError> {
    let event = Pdu::parse(made.json, &version.rules)
        .map_err(|error| MatrixError::invalid_param(format!("Not an event: {error}")))?;
    let wrong = if *event.room_id() != *made.room_id || *event.event_id() != *made.event_id {
        "The event is not the one that the path names"
    } else if event.event_type() != "m.room.member"
        || event.content_str("membership").as_deref() != Some(membership.as_str())
    {
        "The event does not make this change of membership"
    } else if event.state_key() != Some(event.sender().as_str()) {
        "The event's state_key is not its sender"
    } else if event.sender().server_name() != origin {
        "The event's sender is not of your server"
    } else {
        return Ok(event);
    };
    Err(MatrixError::invalid_param(wrong))
}

/// Verifies an event. One that lets a user into a restricted room by a user of this server gets this server's
/// signature, which counts for nothing unless the room then takes it in.
async fn verify(ctx: &Ctx, mut event: Pdu, version: &Version) -> Result<CheckedEvent, MatrixError> {
    let authoriser = event.content_str("join_authorised_via_users_server");
    let is_ours = authoriser
        .as_deref()
        .and_then(|user| <&UserId>::try_from(user).ok())
        .is_some_and(|user| user.server_name() == ctx.server_name());
    if is_ours {
        let keys = server_keys(ctx.platform.as_ref()).await?;
        event = event
            .co_sign(ctx.server_name(), &keys.pair, &version.rules)
            .map_err(|error| MatrixError::invalid_param(error.to_string()))?;
    }
    let verified = verify_parsed(ctx.platform.as_ref(), event, &version.rules).await;
    CheckedEvent::new(verified.map_err(|error| MatrixError::invalid_param(error.to_string()))?)
}
