//! Which aliases a room may call its own `[C-S §11.2.1, m.room.canonical_alias]`.

use ruma::{OwnedRoomAliasId, RoomAliasId, RoomId, api::error::ErrorCode};
use selvedge_durable_objects::{matrix_error::MatrixError, rpc::room::GetStateEvent};
use serde_json::{Value, value::RawValue};

use super::room_alias::resolve;
use crate::{context::Ctx, extract::ClientAuth};

/// How many aliases are looked up for one event.
const MAX_NEW: usize = 50;

/// Checks that the aliases that a new `m.room.canonical_alias` adds name the room. `M_INVALID_PARAM` for what is no
/// alias, `M_BAD_ALIAS` for one that names another room or none.
pub async fn check(
    ctx: &Ctx,
    auth: &ClientAuth,
    room_id: &RoomId,
    content: &RawValue,
) -> Result<(), MatrixError> {
    let added = aliases(content.get())?;
    if added.is_empty() {
        return Ok(());
    }
    let command = GetStateEvent {
        user_id: auth.user_id.clone(),
        event_type: "m.room.canonical_alias".to_owned(),
        state_key: String::new(),
        is_event_wanted: false,
    };
    let known = match ctx.call(&room_id.to_owned(), &command).await {
        Ok(content) => aliases(content.get()).unwrap_or_default(),
        Err(error) if error.is(&ErrorCode::NotFound) => Vec::new(),
        Err(error) => return Err(error),
    };
    let added: Vec<String> = added.into_iter().filter(|alias| !known.contains(alias)).collect();
    if added.len() > MAX_NEW {
        return Err(MatrixError::invalid_param("Too many aliases at once"));
    }
    for alias in added {
        let alias = parse(&alias)?;
        match resolve(ctx, &alias).await {
            Ok(resolved) if resolved.room_id == *room_id => {}
            Ok(_) => return Err(bad_alias(&alias)),
            Err(error) if error.is(&ErrorCode::NotFound) => return Err(bad_alias(&alias)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The same for the first `m.room.canonical_alias` of a room that is to be made: only the alias that it gets will name it.
pub fn check_first(content: &str, own: Option<&RoomAliasId>) -> Result<(), MatrixError> {
    for alias in aliases(content)? {
        let alias = parse(&alias)?;
        if own != Some(&*alias) {
            return Err(bad_alias(&alias));
        }
    }
    Ok(())
}

fn parse(alias: &str) -> Result<OwnedRoomAliasId, MatrixError> {
    RoomAliasId::parse(alias).map_err(|_| MatrixError::invalid_param(format!("{alias} is not a room alias")))
}

fn bad_alias(alias: &RoomAliasId) -> MatrixError {
    MatrixError::new(400, ErrorCode::BadAlias, format!("{alias} does not name this room"))
}

/// All aliases in the content.
fn aliases(content: &str) -> Result<Vec<String>, MatrixError> {
    let content: Value = serde_json::from_str(content)?;
    let wrong = || MatrixError::invalid_param("Aliases are strings");
    let mut aliases = Vec::new();
    match content.get("alias") {
        None | Some(Value::Null) => {}
        Some(Value::String(alias)) => aliases.push(alias.clone()),
        Some(_) => return Err(wrong()),
    }
    match content.get("alt_aliases") {
        None | Some(Value::Null) => {}
        Some(Value::Array(others)) => {
            for alias in others {
                aliases.push(alias.as_str().ok_or_else(wrong)?.to_owned());
            }
        }
        Some(_) => return Err(wrong()),
    }
    Ok(aliases)
}
