//! A user of this server becomes, or ceases to be, a member of a room through a server that takes part in it
//! `[S-S §10, §12, §14]`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, OwnedUserId, RoomId, RoomVersionId, ServerName, UInt,
    UserId, events::room::member::MembershipState,
};
use selvedge_durable_objects::{
    federation::FederationError, matrix_error::MatrixError, platform::random, signing::server_keys,
};
use selvedge_protocol::event::{EventBuilder, Pdu};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{context::Ctx, federation::pdu::Version};

/// How many servers are asked at most.
const MAX_SERVERS: usize = 20;

/// What a user wants of a room that is elsewhere.
pub struct Wish<'w> {
    /// The room.
    pub room_id: &'w RoomId,
    /// The user.
    pub user_id: &'w OwnedUserId,
    /// What the user wants to be.
    pub membership: MembershipState,
    /// Further members of the event's content.
    pub content: &'w Map<String, Value>,
}

/// What a server proposed.
pub struct Proposal {
    /// The room's version, if the server said.
    pub version: Option<RoomVersionId>,
    /// The event without hashes and signatures.
    pub event: Box<RawValue>,
}

/// The servers to ask: each once, and not this one.
pub fn candidates(ctx: &Ctx, via: &[OwnedServerName]) -> Vec<OwnedServerName> {
    let mut servers: Vec<OwnedServerName> = Vec::new();
    for server in via {
        if server != ctx.server_name() && !servers.contains(server) && servers.len() < MAX_SERVERS {
            servers.push(server.clone());
        }
    }
    servers
}

/// Makes the event of a proposal: of it, only what places the event in the room is taken over.
pub async fn sign(
    ctx: &Ctx,
    wish: &Wish<'_>,
    proposal: &Proposal,
    server: &ServerName,
) -> Result<(Pdu, Version), FederationError> {
    let bad = |reason: String| FederationError::BadAnswer { server: server.to_string(), reason };
    let id = proposal.version.clone().unwrap_or(RoomVersionId::V1);
    let version = Version::of(id.clone())
        .ok_or_else(|| bad(format!("the room is of version {id}, which this server does not speak")))?;
    let now = MilliSecondsSinceUnixEpoch(UInt::try_from(ctx.platform.now()).unwrap_or_default());
    let template = proposal.event.get();
    let mut builder = EventBuilder::from_template(template, &version.rules, wish.user_id.clone(), now)
        .map_err(|error| bad(error.to_string()))?;
    let proposed: Value = serde_json::from_str(&builder.content).map_err(|error| bad(error.to_string()))?;
    let is_wanted = builder.event_type == "m.room.member"
        && builder.room_id.as_deref() == Some(wish.room_id)
        && builder.state_key.as_deref() == Some(wish.user_id.as_str())
        && proposed.get("membership").and_then(Value::as_str) == Some(wish.membership.as_str());
    if !is_wanted {
        return Err(bad("the proposed event is another than was asked for".to_owned()));
    }
    let mut content = wish.content.clone();
    content.insert("membership".to_owned(), json!(wish.membership.as_str()));
    if let Some(authoriser) = proposed.get("join_authorised_via_users_server") {
        check_authoriser(authoriser, server).map_err(&bad)?;
        content.insert("join_authorised_via_users_server".to_owned(), authoriser.clone());
    }
    builder.content = Value::Object(content).to_string();
    let token: [u8; 12] = random(ctx.platform.as_ref());
    let opaque_id = || URL_SAFE_NO_PAD.encode(token);
    builder.opaque_id = version.rules.event_format.require_event_id.then(opaque_id);
    let keys = server_keys(ctx.platform.as_ref()).await.map_err(FederationError::Internal)?;
    let event = builder
        .build(ctx.server_name(), &keys.pair, &version.rules)
        .map_err(|error| bad(error.to_string()))?;
    Ok((event, version))
}

/// Only users of the server that proposes may be said to let the user in: it has to sign that.
fn check_authoriser(authoriser: &Value, server: &ServerName) -> Result<(), String> {
    let user = authoriser.as_str().and_then(|user| <&UserId>::try_from(user).ok());
    if user.is_some_and(|user| user.server_name() == server) {
        return Ok(());
    }
    Err("it names one who is not its user as who lets the user in".to_owned())
}

/// Of the servers' refusals, the one that tells the user most: a refusal by the room's rules before a server that does
/// not answer.
pub struct Refusals {
    worst: Option<FederationError>,
}

impl Refusals {
    /// None yet.
    pub fn new() -> Self {
        Self { worst: None }
    }

    /// Another server refused. A failure of this server ends it all.
    pub fn add(&mut self, server: &ServerName, error: FederationError) -> Result<(), MatrixError> {
        if let FederationError::Internal(error) = error {
            return Err(error);
        }
        selvedge_durable_objects::log::warn("membership", &format!("{server}: {error}"));
        let rank = |error: &FederationError| match error {
            FederationError::Refused(error) if error.status == 403 => 3,
            FederationError::Refused(error) if error.status < 500 && error.status != 404 => 2,
            FederationError::Refused(_) => 1,
            _ => 0,
        };
        if self.worst.as_ref().is_none_or(|worst| rank(worst) < rank(&error)) {
            self.worst = Some(error);
        }
        Ok(())
    }

    /// The error for the user.
    pub fn into_error(self, room_id: &RoomId) -> MatrixError {
        match self.worst {
            Some(error) => error.into(),
            None => MatrixError::not_found(format!("No server is known that takes part in {room_id}")),
        }
    }
}
