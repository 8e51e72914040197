//! The room's part in its aliases.

use std::rc::Rc;

use ruma::{OwnedServerName, UserId, events::room::history_visibility::HistoryVisibility};
use selvedge_protocol::auth::AuthState;
use serde_json::{Map, Value};

use crate::{
    matrix_error::MatrixError,
    room::{RoomEngine, commit::NewEvent, state::State},
    rpc::room::{AliasRights, ForgetAlias, GetAliasRights, GetResidentServers},
};

const CANONICAL_ALIAS: &str = "m.room.canonical_alias";

impl RoomEngine {
    pub(in crate::room) fn get_alias_rights(
        &self,
        command: GetAliasRights,
    ) -> Result<AliasRights, MatrixError> {
        let is_known = self.store.find_meta()?.is_some_and(|meta| meta.create.is_some());
        if !is_known {
            return Ok(AliasRights::default());
        }
        let state = State::current(&self.store)?;
        let user_id = command.user_id.as_deref();
        let is_joined = user_id.is_some_and(|user_id| self.joined_state(user_id).is_ok());
        let visibility = state.get("m.room.history_visibility", "")?;
        let visibility = selvedge_protocol::visibility::history_visibility(visibility.as_deref());
        Ok(AliasRights {
            is_known,
            is_joined,
            is_world_readable: visibility == HistoryVisibility::WorldReadable,
            may_set_canonical: is_joined
                && user_id.map_or(Ok(false), |user_id| may_set_canonical(&state, user_id))?,
        })
    }

    pub(in crate::room) async fn forget_alias(
        self: &Rc<Self>,
        command: ForgetAlias,
    ) -> Result<(), MatrixError> {
        let Ok(state) = self.joined_state(&command.user_id) else { return Ok(()) };
        let Some(current) = state.get(CANONICAL_ALIAS, "")? else { return Ok(()) };
        let mut content: Map<String, Value> = current.content_as()?;
        if !without(&mut content, command.alias.as_str()) || !may_set_canonical(&state, &command.user_id)? {
            return Ok(());
        }
        let content = Value::Object(content).to_string();
        let event = NewEvent::state(command.user_id, CANONICAL_ALIAS, "", content);
        self.write_one(&self.pen().await?, event).await.map(|_| ())
    }

    pub(in crate::room) fn get_resident_servers(
        &self,
        _: GetResidentServers,
    ) -> Result<Vec<OwnedServerName>, MatrixError> {
        if self.store.find_meta()?.is_none() {
            return Ok(Vec::new());
        }
        let here = self.store.is_any_local_joined()?;
        let local = self.runtime.platform.config().server_name.clone();
        let others = self.store.resident_servers("", 99)?.into_iter().map(|server| server.name);
        Ok(here.then_some(local).into_iter().chain(others).collect())
    }
}

fn may_set_canonical(state: &State, user_id: &UserId) -> Result<bool, MatrixError> {
    let Ok(levels) = state.power_levels()? else { return Ok(false) };
    let (power, needed) = (levels.user(user_id), levels.event(CANONICAL_ALIAS, true));
    Ok(matches!((power, needed), (Ok(power), Ok(needed)) if power >= needed))
}

/// Takes an alias out of the content of an `m.room.canonical_alias`; whether it was in it.
fn without(content: &mut Map<String, Value>, alias: &str) -> bool {
    let mut found = content.get("alias").and_then(Value::as_str) == Some(alias);
    if found {
        content.remove("alias");
    }
    if let Some(others) = content.get_mut("alt_aliases").and_then(Value::as_array_mut) {
        let before = others.len();
        others.retain(|other| other.as_str() != Some(alias));
        found |= others.len() < before;
        if others.is_empty() {
            content.remove("alt_aliases");
        }
    }
    found
}
