//! Replacing the room by another.

use std::rc::Rc;

use ruma::UserId;
use selvedge_protocol::{
    auth::AuthState,
    room_creation::{
        TRANSFERRED_STATE, divided_aliases, retired_power_levels, upgraded_create, upgraded_power_levels,
    },
    room_version,
};
use serde_json::{Map, Value, json, value::RawValue};

use super::not_in_room;
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{RoomEngine, commit::NewEvent, state::State},
    rpc::room::{NewState, PlanUpgrade, RetireRoom, UpgradePlan},
};

const TOMBSTONE: &str = "m.room.tombstone";
/// How many bans, and how many children of a space, the new room takes over.
const MAX_TRANSFERRED: usize = 1_000;
/// How many members are read at a time.
const PAGE: usize = 500;

impl RoomEngine {
    pub(in crate::room) fn plan_upgrade(&self, command: PlanUpgrade) -> Result<UpgradePlan, MatrixError> {
        let PlanUpgrade { sender, version, additional_creators } = command;
        let state = self.joined_state(&sender)?;
        check_may_retire(&state, &sender)?;
        let rules = room_version::rules(&version)
            .ok_or_else(|| MatrixError::internal("A room version without rules"))?
            .authorization;
        let meta = self.store.meta()?;
        let last = meta.extremities.last().ok_or_else(not_in_room)?;
        let last = self.store.event_id(*last)?;
        let create = content(&state, "m.room.create")?.unwrap_or_default();
        let predecessor = (meta.room_id.as_str(), last.as_str());
        let creation_content = upgraded_create(&create, predecessor, &rules, &additional_creators);

        let server_name = self.runtime.platform.config().server_name.clone();
        let mut transferred = Vec::new();
        if create.get("type").and_then(Value::as_str) == Some("m.space") {
            transferred.extend(children(&state)?);
        }
        transferred.extend(bans(&state)?);
        for event_type in TRANSFERRED_STATE {
            let Some(content) = content(&state, event_type)? else { continue };
            let content = match event_type {
                "m.room.power_levels" => {
                    upgraded_power_levels(&content, &rules, &sender, &additional_creators)
                }
                "m.room.canonical_alias" => match divided_aliases(&content, &server_name) {
                    Some((moved, _)) => Value::Object(moved),
                    None => continue,
                },
                _ => Value::Object(content),
            };
            transferred.push(new_state(event_type, "", &content)?);
        }
        Ok(UpgradePlan { creation_content, state: transferred })
    }

    pub(in crate::room) async fn retire_room(
        self: &Rc<Self>,
        command: RetireRoom,
    ) -> Result<(), MatrixError> {
        let RetireRoom { sender, replacement } = command;
        let body = json!({ "body": "This room has been replaced", "replacement_room": replacement });
        let pen = self.pen().await?;
        let tombstone = NewEvent::state(sender.clone(), TOMBSTONE, "", body.to_string());
        self.write(&pen, &[tombstone]).await?;
        let state = State::current(&self.store)?;
        let mut rest = Vec::new();
        let aliases = content(&state, "m.room.canonical_alias")?.unwrap_or_default();
        if let Some((_, kept)) = divided_aliases(&aliases, &pen.config.server_name) {
            let kept = Value::Object(kept).to_string();
            rest.push(NewEvent::state(sender.clone(), "m.room.canonical_alias", "", kept));
        }
        let levels = content(&state, "m.room.power_levels")?.unwrap_or_default();
        if let Some(retired) = retired_power_levels(&levels) {
            rest.push(NewEvent::state(sender, "m.room.power_levels", "", retired.to_string()));
        }
        for event in rest {
            let pen = self.pen().await?;
            if let Err(error) = self.write(&pen, &[event]).await {
                crate::log::warn("upgrade", &error.to_string());
            }
        }
        Ok(())
    }
}

/// The children of a space.
fn children(state: &State) -> Result<Vec<NewState>, MatrixError> {
    let mut children = Vec::new();
    for child in state.of_type("m.space.child", None, MAX_TRANSFERRED)? {
        let content: Map<String, Value> = child.pdu.content_as()?;
        if let Some(room_id) = child.pdu.state_key().filter(|_| content.contains_key("via")) {
            children.push(new_state("m.space.child", room_id, &Value::Object(content))?);
        }
    }
    Ok(children)
}

/// The bans, with their reasons.
fn bans(state: &State) -> Result<Vec<NewState>, MatrixError> {
    let mut bans = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let members = state.of_type("m.room.member", after.as_deref(), PAGE)?;
        let Some(last) = members.last() else { return Ok(bans) };
        after = last.pdu.state_key().map(str::to_owned);
        for member in &members {
            let Some(user) = member.pdu.state_key() else { continue };
            if member.pdu.content_str("membership").as_deref() != Some("ban") {
                continue;
            }
            if bans.len() >= MAX_TRANSFERRED {
                return Ok(bans);
            }
            let mut content = json!({ "membership": "ban" });
            if let (Some(reason), Some(content)) = (member.pdu.content_str("reason"), content.as_object_mut())
            {
                content.insert("reason".to_owned(), json!(reason));
            }
            bans.push(new_state("m.room.member", user, &content)?);
        }
    }
}

fn check_may_retire(state: &State, sender: &UserId) -> Result<(), MatrixError> {
    let levels = state.power_levels()?.map_err(|rule| MatrixError::forbidden(rule.to_string()))?;
    match (levels.user(sender), levels.event(TOMBSTONE, true)) {
        (Ok(power), Ok(needed)) if power >= needed => Ok(()),
        _ => Err(MatrixError::forbidden("You may not replace this room")),
    }
}

/// The content of a state event with an empty state key.
fn content(state: &State, event_type: &str) -> Result<Option<Map<String, Value>>, MatrixError> {
    let event = state.get(event_type, "")?;
    let content = event.map(|event| event.content_as()).transpose();
    Ok(content.map_err(|error| DatabaseError::corrupt(error.to_string()))?)
}

fn new_state(event_type: &str, state_key: &str, content: &Value) -> Result<NewState, MatrixError> {
    Ok(NewState {
        event_type: event_type.to_owned(),
        state_key: state_key.to_owned(),
        content: RawValue::from_string(content.to_string())?,
    })
}
