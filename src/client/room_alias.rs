//! Room aliases `[C-S §11.2.1]`.

use ruma::{
    OwnedRoomId, OwnedServerName, RoomAliasId,
    api::client::{
        alias::{
            create_alias::v3 as create_alias, delete_alias::v3 as delete_alias, get_alias::v3 as get_alias,
        },
        room::aliases::v3 as aliases,
    },
    api::error::ErrorCode,
};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::{CreateRoomAlias, DeleteRoomAlias, ListRoomAliases, ResolveRoomAlias},
        room::{ForgetAlias, GetAliasRights, GetResidentServers},
    },
};

use super::elsewhere;
use crate::{
    context::Ctx,
    extract::{ClientAuth, NoAuth},
};

/// The longest alias, in bytes `[appendices, room aliases]`.
const MAX_ALIAS: usize = 255;

/// What an alias stands for.
pub struct Resolved {
    /// The room.
    pub room_id: OwnedRoomId,
    /// Servers that take part in it.
    pub servers: Vec<OwnedServerName>,
}

/// Resolves an alias, of this server or another. `M_NOT_FOUND`.
pub async fn resolve(ctx: &Ctx, alias: &RoomAliasId) -> Result<Resolved, MatrixError> {
    if alias.server_name() != ctx.server_name() {
        return elsewhere::resolve_room_alias(ctx, alias).await;
    }
    let found = ctx.call(&(), &ResolveRoomAlias { alias: alias.to_owned() }).await?;
    let room_id = found.ok_or_else(|| no_such_alias(alias))?.room_id;
    let mut servers = ctx.call(&room_id, &GetResidentServers {}).await?;
    if !servers.iter().any(|server| server == ctx.server_name()) {
        servers.insert(0, ctx.server_name().to_owned());
    }
    Ok(Resolved { room_id, servers })
}

fn no_such_alias(alias: &RoomAliasId) -> MatrixError {
    MatrixError::not_found(format!("There is no room alias {alias}"))
}

/// `GET /_matrix/client/v3/directory/room/{roomAlias}`
pub async fn get_alias(
    ctx: Ctx,
    _: NoAuth,
    request: get_alias::Request,
) -> Result<get_alias::Response, MatrixError> {
    let Resolved { room_id, servers } = resolve(&ctx, &request.room_alias).await?;
    Ok(get_alias::Response::new(room_id, servers))
}

/// Whether an alias may be made here. `M_INVALID_PARAM`.
pub fn check_new_alias(ctx: &Ctx, alias: &RoomAliasId) -> Result<(), MatrixError> {
    if alias.server_name() != ctx.server_name() {
        return Err(MatrixError::invalid_param("The alias is of another server"));
    }
    let localpart = alias.alias();
    if localpart.is_empty() || localpart.contains([':', '\0']) || localpart.contains(char::is_whitespace) {
        return Err(MatrixError::invalid_param("The alias holds characters that it may not"));
    }
    if alias.as_str().len() > MAX_ALIAS {
        return Err(MatrixError::invalid_param("The alias is too long"));
    }
    Ok(())
}

/// `PUT /_matrix/client/v3/directory/room/{roomAlias}`: for members of the room.
pub async fn create_alias(
    ctx: Ctx,
    auth: ClientAuth,
    request: create_alias::Request,
) -> Result<create_alias::Response, MatrixError> {
    check_new_alias(&ctx, &request.room_alias)?;
    let rights = ctx.call(&request.room_id, &GetAliasRights { user_id: Some(auth.user_id.clone()) }).await?;
    if !rights.is_joined && !auth.is_admin {
        return Err(MatrixError::forbidden("You are not in this room"));
    }
    let command =
        CreateRoomAlias { alias: request.room_alias, room_id: request.room_id, creator: auth.user_id };
    if !ctx.call(&(), &command).await? {
        let text = format!("Room alias {} already exists", command.alias);
        return Err(MatrixError::new(409, ErrorCode::Unknown, text));
    }
    Ok(create_alias::Response::new())
}

/// `DELETE /_matrix/client/v3/directory/room/{roomAlias}`: for who made it, who may set the canonical alias, and
/// administrators. Takes it out of the `m.room.canonical_alias` where the user may.
pub async fn delete_alias(
    ctx: Ctx,
    auth: ClientAuth,
    request: delete_alias::Request,
) -> Result<delete_alias::Response, MatrixError> {
    let alias = request.room_alias;
    if alias.server_name() != ctx.server_name() {
        return Err(MatrixError::not_found("The alias is of another server"));
    }
    let found = ctx.call(&(), &ResolveRoomAlias { alias: alias.clone() }).await?;
    let found = found.ok_or_else(|| no_such_alias(&alias))?;
    if found.creator != auth.user_id && !auth.is_admin {
        let rights =
            ctx.call(&found.room_id, &GetAliasRights { user_id: Some(auth.user_id.clone()) }).await?;
        if !rights.may_set_canonical {
            return Err(MatrixError::forbidden("You may not remove this alias"));
        }
    }
    ctx.call(&(), &DeleteRoomAlias { alias: alias.clone(), room_id: found.room_id.clone() }).await?;
    // Whether the room lets the user change its canonical alias is the room's to say; the alias is gone in any case.
    let tidied = ctx.call(&found.room_id, &ForgetAlias { user_id: auth.user_id, alias }).await;
    if let Err(error) = tidied {
        selvedge_durable_objects::log::warn("alias", &error.to_string());
    }
    Ok(delete_alias::Response::new())
}

/// `GET /_matrix/client/v3/rooms/{roomId}/aliases`: for members, and for everyone where the room is world-readable.
pub async fn aliases(
    ctx: Ctx,
    auth: ClientAuth,
    request: aliases::Request,
) -> Result<aliases::Response, MatrixError> {
    let rights = ctx.call(&request.room_id, &GetAliasRights { user_id: Some(auth.user_id) }).await?;
    if !rights.is_joined && !rights.is_world_readable && !auth.is_admin {
        return Err(MatrixError::forbidden("You are not in this room"));
    }
    Ok(aliases::Response::new(ctx.call(&(), &ListRoomAliases { room_id: request.room_id }).await?))
}
