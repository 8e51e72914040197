//! Bringing a room into being.

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedRoomId, RoomAliasId, UInt, UserId, room_version_rules::RoomVersionRules,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    platform::random,
    rpc::{
        directory::{CreateRoomAlias, DeleteRoomAlias},
        room::CreateRoom,
    },
    signing::server_keys,
};
use selvedge_protocol::{
    event::{Author, Pdu},
    room_creation::build_create,
};
use serde_json::{Map, Value};

use crate::context::Ctx;

/// How often it is tried to make a room that differs from one of the same moment.
const MAX_ATTEMPTS: u64 = 20;

/// What a room's create event, and its alias, need.
pub(super) struct Founding<'a> {
    /// The rules of the room's version.
    pub rules: &'a RoomVersionRules,
    /// Who makes it.
    pub creator: &'a UserId,
    /// The content of the `m.room.create`.
    pub content: Map<String, Value>,
    /// The alias to make.
    pub alias: Option<&'a RoomAliasId>,
}

/// Makes the room of `command`, whose create event is made here: a millisecond later in appearance where there is one
/// of just now. `M_ROOM_IN_USE` when the alias is taken.
pub(super) async fn found(
    ctx: &Ctx,
    founding: &Founding<'_>,
    command: &mut CreateRoom,
) -> Result<OwnedRoomId, MatrixError> {
    for later in 0..MAX_ATTEMPTS {
        let create = make_create_event(ctx, founding, later).await?;
        let room_id = create.room_id().to_owned();
        command.create = create.into_json();
        if create_with_alias(ctx, founding, &room_id, command).await? {
            return Ok(room_id);
        }
    }
    Err(MatrixError::limit_exceeded(1_000))
}

/// Takes the alias first, so that of two rooms with the same alias one is not made. Whether the room is new.
async fn create_with_alias(
    ctx: &Ctx,
    founding: &Founding<'_>,
    room_id: &OwnedRoomId,
    command: &CreateRoom,
) -> Result<bool, MatrixError> {
    let Some(alias) = founding.alias else { return ctx.call(room_id, command).await };
    let new_alias = CreateRoomAlias {
        alias: alias.to_owned(),
        room_id: room_id.clone(),
        creator: founding.creator.to_owned(),
    };
    if !ctx.call(&(), &new_alias).await? {
        return Err(MatrixError::room_in_use(format!("Room alias {alias} already exists")));
    }
    let created = ctx.call(room_id, command).await;
    if !matches!(created, Ok(true)) {
        ctx.call(&(), &DeleteRoomAlias { alias: alias.to_owned(), room_id: room_id.clone() }).await?;
    }
    created
}

/// Makes the create event. Since room version 12 it names the room, so it is made before the room's actor is known.
async fn make_create_event(ctx: &Ctx, founding: &Founding<'_>, later: u64) -> Result<Pdu, MatrixError> {
    let platform = ctx.platform.as_ref();
    let keys = server_keys(platform).await?;
    let author = Author {
        server: ctx.server_name(),
        key: &keys.pair,
        now: MilliSecondsSinceUnixEpoch(
            UInt::try_from(platform.now().saturating_add(later)).unwrap_or(UInt::MAX),
        ),
        entropy: random(platform),
    };
    let content = Value::Object(founding.content.clone()).to_string();
    build_create(founding.rules, Some(random_room_id(ctx)?), founding.creator.to_owned(), content, &author)
        .map_err(|error| MatrixError::bad_json(format!("`creation_content`: {error}")))
}

fn random_room_id(ctx: &Ctx) -> Result<OwnedRoomId, MatrixError> {
    let letters = random::<18>(ctx.platform.as_ref()).map(|byte| {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        char::from(letters.get(usize::from(byte % 52)).copied().unwrap_or(b'A'))
    });
    OwnedRoomId::try_from(format!("!{}:{}", letters.iter().collect::<String>(), ctx.server_name()))
        .map_err(|_| MatrixError::internal("No room id could be made"))
}
