//! The walk through a space: depth first, each room once.

use std::collections::BTreeSet;

use ruma::{
    OwnedRoomId, OwnedServerName, OwnedUserId, RoomId,
    api::{
        client::space::SpaceHierarchyRoomsChunk, federation::space::get_hierarchy::v1 as remote_hierarchy,
    },
    events::{room::member::MembershipState, space::child::HierarchySpaceChildEvent},
    room::{JoinRuleSummary, RoomSummary, RoomType},
    serde::Raw,
};
use selvedge_durable_objects::{
    federation::{self, Bounds, FederationError},
    matrix_error::MatrixError,
    rpc::{
        room::{GetMembership, GetSpaceEntry, SpaceAsker, SpaceEntry},
        user,
    },
};
use serde::Deserialize;

use crate::context::Ctx;

/// How many rooms a walk looks at.
const MAX_ROOMS: usize = 1_000;
/// How many servers are asked for one room.
const MAX_SERVERS: usize = 3;
/// How long one may take, in milliseconds.
const TIMEOUT_MS: u32 = 10_000;

/// A walk for one user.
pub struct Walk<'c> {
    ctx: &'c Ctx,
    user_id: OwnedUserId,
    suggested_only: bool,
    max_depth: usize,
    seen: BTreeSet<OwnedRoomId>,
}

/// A room to look at.
struct Step {
    room_id: OwnedRoomId,
    via: Vec<OwnedServerName>,
    depth: usize,
}

type Children = Vec<Raw<HierarchySpaceChildEvent>>;

impl<'c> Walk<'c> {
    /// A walk that goes `max_depth` deep; the space itself is at depth 0.
    pub fn new(ctx: &'c Ctx, user_id: OwnedUserId, suggested_only: bool, max_depth: usize) -> Self {
        Self { ctx, user_id, suggested_only, max_depth, seen: BTreeSet::new() }
    }

    /// The first `count` rooms, and whether there may be more. `M_FORBIDDEN` when the user may not know of the space.
    pub async fn rooms(
        &mut self,
        space: &RoomId,
        count: usize,
    ) -> Result<(Vec<SpaceHierarchyRoomsChunk>, bool), MatrixError> {
        let via = space.server_name().map(ToOwned::to_owned).into_iter().collect();
        let mut steps = vec![Step { room_id: space.to_owned(), via, depth: 0 }];
        let mut rooms = Vec::new();
        while let Some(step) = steps.pop() {
            if rooms.len() >= count {
                return Ok((rooms, true));
            }
            if self.seen.len() >= MAX_ROOMS || !self.seen.insert(step.room_id.clone()) {
                continue;
            }
            let Some((summary, children)) = self.look(&step).await? else {
                if step.depth == 0 {
                    return Err(MatrixError::forbidden("You may not know of this room, or there is none"));
                }
                continue;
            };
            if step.depth < self.max_depth && summary.room_type == Some(RoomType::Space) {
                let depth = step.depth.saturating_add(1);
                steps.extend(children.iter().rev().filter_map(|child| next_step(child, depth)));
            }
            rooms.push(SpaceHierarchyRoomsChunk::new(summary, children));
        }
        Ok((rooms, false))
    }

    /// A room and its children, if the user may know of it.
    async fn look(&self, step: &Step) -> Result<Option<(RoomSummary, Children)>, MatrixError> {
        let asker = SpaceAsker::User(self.user_id.clone());
        let ask = GetSpaceEntry { asker, suggested_only: self.suggested_only };
        match self.ctx.call(&step.room_id, &ask).await? {
            SpaceEntry::Accessible { summary, children } => {
                Ok(Some((*summary, children.into_iter().map(Raw::from_json).collect())))
            }
            SpaceEntry::Inaccessible => Ok(None),
            SpaceEntry::Unknown => self.look_elsewhere(step).await,
        }
    }

    async fn look_elsewhere(&self, step: &Step) -> Result<Option<(RoomSummary, Children)>, MatrixError> {
        let others = step.via.iter().filter(|server| *server != self.ctx.server_name());
        for server in others.take(MAX_SERVERS) {
            let mut request = remote_hierarchy::Request::new(step.room_id.clone());
            request.suggested_only = self.suggested_only;
            let bounds = Bounds { timeout_ms: TIMEOUT_MS, ..Bounds::default() };
            let answer = federation::send(self.ctx.platform.as_ref(), server, request, bounds).await;
            match answer {
                Ok(answer) if answer.room.summary.room_id == step.room_id => {
                    let room = answer.room;
                    if self.may_know(&room.summary).await? {
                        return Ok(Some((room.summary, room.children_state)));
                    }
                    return Ok(None);
                }
                Ok(_) => {}
                Err(FederationError::Internal(error)) => return Err(error),
                Err(error) => selvedge_durable_objects::log::warn("space", &error.to_string()),
            }
        }
        Ok(None)
    }

    /// Whether the user may know of a room that only other servers take part in: these tell what any of this server's
    /// users may.
    async fn may_know(&self, summary: &RoomSummary) -> Result<bool, MatrixError> {
        let allowed = match &summary.join_rule {
            JoinRuleSummary::Public | JoinRuleSummary::Knock | JoinRuleSummary::KnockRestricted(_) => {
                return Ok(true);
            }
            _ if summary.world_readable => return Ok(true),
            JoinRuleSummary::Restricted(restricted) => restricted.allowed_room_ids.as_slice(),
            _ => &[],
        };
        for room_id in allowed {
            let membership = GetMembership { user_id: self.user_id.clone() };
            if self.ctx.call(room_id, &membership).await? == MembershipState::Join {
                return Ok(true);
            }
        }
        let known = user::GetMembership { room_id: summary.room_id.clone() };
        let known = self.ctx.call(self.user_id.localpart(), &known).await?;
        Ok(known.is_some_and(|known| known.membership == MembershipState::Invite))
    }
}

fn next_step(child: &Raw<HierarchySpaceChildEvent>, depth: usize) -> Option<Step> {
    #[derive(Deserialize)]
    struct Child {
        state_key: OwnedRoomId,
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        via: Vec<OwnedServerName>,
    }
    let child: Child = serde_json::from_str(child.json().get()).ok()?;
    Some(Step { room_id: child.state_key, via: child.content.via, depth })
}
