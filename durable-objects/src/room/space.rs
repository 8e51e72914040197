//! The room as part of a space `[C-S §11.34, S-S §16.2]`.

use std::rc::Rc;

use ruma::{
    OwnedRoomId, RoomId, ServerName, UserId,
    events::room::member::MembershipState,
    room::{JoinRuleSummary, RoomSummary, RoomType},
};
use selvedge_protocol::event::Pdu;
use serde_json::{Value, json, value::RawValue};

use super::{RoomEngine, state::State};
use crate::{
    concurrent::{ALL, try_each},
    matrix_error::MatrixError,
    rpc::{
        self,
        room::{GetSpaceEntry, HasServer, SpaceAsker, SpaceEntry},
    },
};

/// How many children of a space are told of.
const MAX_CHILDREN: usize = 1_000;
/// How many rooms are asked whether a server is in them.
const MAX_ALLOWED: usize = 50;
/// The longest `order` that counts, in characters.
const MAX_ORDER: usize = 50;

impl RoomEngine {
    pub(super) async fn get_space_entry(
        self: &Rc<Self>,
        command: GetSpaceEntry,
    ) -> Result<SpaceEntry, MatrixError> {
        if !self.takes_part()? {
            return Ok(SpaceEntry::Unknown);
        }
        let Some(summary) = self.summary()? else { return Ok(SpaceEntry::Unknown) };
        let is_accessible = match &command.asker {
            SpaceAsker::User(user_id) => self.is_accessible_to_user(&summary, user_id).await?,
            SpaceAsker::Server(server) => self.is_accessible_to_server(&summary, server).await?,
            SpaceAsker::Anyone => is_open(&summary),
        };
        if !is_accessible {
            return Ok(SpaceEntry::Inaccessible);
        }
        let is_space = summary.room_type == Some(RoomType::Space);
        let children = if is_space { self.children(command.suggested_only)? } else { Vec::new() };
        Ok(SpaceEntry::Accessible { summary: Box::new(summary), children })
    }

    /// Whether any user of a server is joined.
    pub(super) fn has_server(&self, command: HasServer) -> Result<bool, MatrixError> {
        if self.store.find_meta()?.is_none() {
            return Ok(false);
        }
        Ok(self.store.server(&command.server)?.is_some_and(|server| server.joined > 0))
    }

    async fn is_accessible_to_user(
        &self,
        summary: &RoomSummary,
        user_id: &UserId,
    ) -> Result<bool, MatrixError> {
        let membership = State::current(&self.store)?.membership(user_id)?;
        match membership {
            _ if is_open(summary) => return Ok(true),
            MembershipState::Join | MembershipState::Invite => return Ok(true),
            MembershipState::Ban => return Ok(false),
            _ => {}
        }
        self.is_in_any(user_id, allowed_rooms(summary)).await
    }

    async fn is_accessible_to_server(
        &self,
        summary: &RoomSummary,
        server: &ServerName,
    ) -> Result<bool, MatrixError> {
        let has_server = HasServer { server: server.to_owned() };
        if is_open(summary) || self.has_server(has_server)? {
            return Ok(true);
        }
        let platform = self.runtime.platform.as_ref();
        let has_server = HasServer { server: server.to_owned() };
        let ask = |room_id| rpc::call(platform, &room_id, &has_server);
        Ok(try_each(ALL, allowed_rooms(summary), ask).await?.contains(&true))
    }

    /// The space's children, in the order in which they are shown.
    fn children(&self, suggested_only: bool) -> Result<Vec<Box<RawValue>>, MatrixError> {
        let events = State::current(&self.store)?.of_type("m.space.child", None, MAX_CHILDREN)?;
        let mut children: Vec<_> =
            events.iter().filter_map(|event| child(&event.pdu, suggested_only)).collect();
        children.sort_by(|(left, _), (right, _)| left.cmp(right));
        children.into_iter().map(|(_, json)| Ok(serde_json::value::to_raw_value(&json)?)).collect()
    }
}

/// Whether everybody may know of the room.
fn is_open(summary: &RoomSummary) -> bool {
    summary.world_readable
        || matches!(
            summary.join_rule,
            JoinRuleSummary::Public | JoinRuleSummary::Knock | JoinRuleSummary::KnockRestricted(_)
        )
}

fn allowed_rooms(summary: &RoomSummary) -> Vec<OwnedRoomId> {
    let JoinRuleSummary::Restricted(restricted) = &summary.join_rule else { return Vec::new() };
    restricted.allowed_room_ids.iter().take(MAX_ALLOWED).cloned().collect()
}

/// Where a child stands among the others: those with an order first, by it, then by age, then by room.
type Rank = (bool, String, u64, String);

/// A child, unless the event names no servers to reach it by, which takes it out of the space.
fn child(event: &Pdu, suggested_only: bool) -> Option<(Rank, Value)> {
    let room_id = event.state_key()?;
    <&RoomId>::try_from(room_id).ok()?;
    let content: Value = serde_json::from_str(event.content_json()).ok()?;
    let has_via = content.get("via").and_then(Value::as_array).is_some_and(|via| !via.is_empty());
    let is_suggested = content.get("suggested").and_then(Value::as_bool).unwrap_or(false);
    if !has_via || suggested_only && !is_suggested {
        return None;
    }
    let order = content.get("order").and_then(Value::as_str).filter(|order| {
        order.chars().count() <= MAX_ORDER && order.chars().all(|char| (' '..='~').contains(&char))
    });
    let ts = u64::from(event.origin_server_ts().get());
    let rank = (order.is_none(), order.unwrap_or_default().to_owned(), ts, room_id.to_owned());
    let json = json!({
        "content": content,
        "origin_server_ts": ts,
        "sender": event.sender(),
        "state_key": room_id,
        "type": "m.space.child",
    });
    Some((rank, json))
}
