//! Creating rooms.

use ruma::{
    OwnedRoomAliasId, OwnedRoomId, OwnedUserId, RoomAliasId, RoomVersionId,
    api::{
        client::room::{
            Visibility,
            create_room::v3::{self as create_room, RoomPreset},
        },
        error::ErrorCode,
    },
    room_version_rules::RoomVersionRules,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::PublishRoom,
        room::{CreateRoom, Invitee, MemberProfile, MembershipAction, NewState},
    },
};
use selvedge_protocol::{
    room_creation::{Preset, RoomCreation, StateDraft},
    room_version,
};
use serde_json::{Map, Value, value::RawValue};

use super::founding::{Founding, found};
use crate::{
    client::{
        canonical_alias,
        invitee::{invitee, member_profile},
        membership::{Change, change_membership},
        room_alias::check_new_alias,
        third_party_invite,
    },
    context::Ctx,
    extract::{ClientAuth, Sender},
};

/// How many users can be invited at once.
const MAX_INVITES: usize = 500;
/// How many state events can be given at once.
const MAX_INITIAL_STATE: usize = 500;

/// `POST /_matrix/client/v3/createRoom`
pub async fn create_room(
    ctx: Ctx,
    Sender(auth): Sender,
    request: create_room::Request,
) -> Result<create_room::Response, MatrixError> {
    auth.check_not_guest()?;
    if !request.invite_3pid.is_empty() {
        return Err(third_party_invite::not_possible());
    }
    let is_public = request.visibility == Visibility::Public;
    let is_direct = request.is_direct;
    let plan = plan(&ctx, &auth, request)?;
    let room_id = create(&ctx, &auth, &plan, is_direct).await?;
    if is_public {
        ctx.call(&(), &PublishRoom { room_id: room_id.clone(), network: String::new() }).await?;
    }
    Ok(create_room::Response::new(room_id))
}

/// Reads the request as a plan for a room.
fn plan(ctx: &Ctx, auth: &ClientAuth, request: create_room::Request) -> Result<RoomCreation, MatrixError> {
    let too_many = request.invite.len() > MAX_INVITES || request.initial_state.len() > MAX_INITIAL_STATE;
    if too_many {
        return Err(MatrixError::invalid_param("Too many invitations or state events at once"));
    }
    let preset = match (request.preset, &request.visibility) {
        (Some(RoomPreset::PrivateChat), _) | (None, Visibility::Private) => Preset::Private,
        (Some(RoomPreset::TrustedPrivateChat), _) => Preset::TrustedPrivate,
        (Some(RoomPreset::PublicChat), _) | (None, Visibility::Public) => Preset::Public,
        _ => return Err(MatrixError::bad_json("Unknown preset or visibility")),
    };
    let canonical_alias =
        request.room_alias_name.as_deref().map(|localpart| new_alias(ctx, localpart)).transpose()?;
    let initial_state = request.initial_state.iter().map(|entry| StateDraft::from_json(entry.json().get()));
    let initial_state = initial_state
        .collect::<Result<Vec<StateDraft>, _>>()
        .map_err(|malformed| MatrixError::bad_json(malformed.to_string()))?;
    for draft in &initial_state {
        check_initial(draft, canonical_alias.as_deref())?;
    }
    let mut invite: Vec<OwnedUserId> = Vec::new();
    for user in request.invite {
        if user == auth.user_id {
            return Err(MatrixError::forbidden("You cannot invite yourself"));
        }
        if !invite.contains(&user) {
            invite.push(user);
        }
    }
    Ok(RoomCreation {
        version: request.room_version.unwrap_or_else(|| ctx.config.default_room_version.clone()),
        creator: auth.user_id.clone(),
        preset,
        creation_content: members(request.creation_content.as_ref().map(ruma::serde::Raw::json))?,
        power_level_content_override: members(
            request.power_level_content_override.as_ref().map(ruma::serde::Raw::json),
        )?,
        canonical_alias,
        initial_state,
        name: request.name,
        topic: request.topic,
        invite,
    })
}

/// What the rules of events do not say of the state that a creator asks for.
fn check_initial(draft: &StateDraft, own_alias: Option<&RoomAliasId>) -> Result<(), MatrixError> {
    match draft.event_type.as_str() {
        "m.room.create" => {
            let text = "`initial_state` comes after the create event: see `creation_content`";
            Err(MatrixError::new(400, ErrorCode::InvalidRoomState, text))
        }
        "m.room.canonical_alias" if draft.state_key.is_empty() => {
            canonical_alias::check_first(&draft.content, own_alias)
        }
        _ => Ok(()),
    }
}

fn members(json: Option<&RawValue>) -> Result<Map<String, Value>, MatrixError> {
    let parse = |json: &RawValue| {
        serde_json::from_str(json.get()).map_err(|_| MatrixError::bad_json("An object was expected"))
    };
    json.map_or_else(|| Ok(Map::new()), parse)
}

fn new_alias(ctx: &Ctx, localpart: &str) -> Result<OwnedRoomAliasId, MatrixError> {
    if localpart.contains(':') {
        return Err(MatrixError::invalid_param("`room_alias_name` is a localpart and holds no colon"));
    }
    let alias = RoomAliasId::parse(format!("#{localpart}:{}", ctx.server_name()))
        .map_err(|error| MatrixError::invalid_param(format!("Not a room alias: {error}")))?;
    check_new_alias(ctx, &alias)?;
    Ok(alias)
}

/// The rules of a room version. `M_UNSUPPORTED_ROOM_VERSION`.
pub fn rules_of(version: &RoomVersionId) -> Result<RoomVersionRules, MatrixError> {
    let unsupported = || {
        let text = format!("This server does not support room version {version}");
        MatrixError::new(400, ErrorCode::UnsupportedRoomVersion, text)
    };
    room_version::rules(version).ok_or_else(unsupported)
}

/// Makes the room and its alias, then invites the users of other servers.
async fn create(
    ctx: &Ctx,
    auth: &ClientAuth,
    plan: &RoomCreation,
    is_direct: bool,
) -> Result<OwnedRoomId, MatrixError> {
    let profile = member_profile(ctx, &auth.user_id).await?;
    let (here, elsewhere): (Vec<&OwnedUserId>, Vec<&OwnedUserId>) =
        plan.invite.iter().partition(|user| user.server_name() == ctx.server_name());
    let mut invite: Vec<Invitee> = Vec::with_capacity(here.len());
    for user in here {
        invite.push(invitee(ctx, &auth.user_id, user).await?);
    }
    let room_id = create_for(ctx, plan, Founder { profile, invite, is_direct }).await?;
    for user in elsewhere {
        let mut change = Change::own(auth, MembershipAction::Invite);
        change.target.clone_from(user);
        if is_direct {
            change.content.insert("is_direct".to_owned(), Value::Bool(true));
        }
        change_membership(ctx, auth, &room_id, change).await?;
    }
    Ok(room_id)
}

/// What is known of who makes a room, and of whom they invite.
pub struct Founder {
    /// The creator's profile.
    pub profile: MemberProfile,
    /// The users of this server who are invited.
    pub invite: Vec<Invitee>,
    /// Whether the room is for talking to them directly.
    pub is_direct: bool,
}

/// Makes the room and its alias.
pub async fn create_for(
    ctx: &Ctx,
    plan: &RoomCreation,
    founder: Founder,
) -> Result<OwnedRoomId, MatrixError> {
    let rules = rules_of(&plan.version)?;
    let state: Vec<NewState> =
        plan.state(&rules.authorization).into_iter().map(new_state).collect::<Result<_, _>>()?;
    let mut command = CreateRoom {
        version: plan.version.clone(),
        create: String::new(),
        creator: founder.profile,
        state,
        invite: founder.invite,
        is_direct: founder.is_direct,
    };
    let founding = Founding {
        rules: &rules,
        creator: &plan.creator,
        content: plan.create_content(&rules.authorization),
        alias: plan.canonical_alias.as_deref(),
    };
    found(ctx, &founding, &mut command).await
}

fn new_state(draft: StateDraft) -> Result<NewState, MatrixError> {
    let content = RawValue::from_string(draft.content)?;
    Ok(NewState { event_type: draft.event_type, state_key: draft.state_key, content })
}
