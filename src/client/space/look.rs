//! A room as who asks may know of it, here or from another server.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    OwnedRoomId, OwnedServerName, OwnedUserId, RoomId,
    api::federation::space::get_hierarchy::v1 as remote_hierarchy,
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

use crate::context::Ctx;

/// How many servers are asked for one room.
const MAX_SERVERS: usize = 3;
/// How long one may take, in milliseconds.
const TIMEOUT_MS: u32 = 10_000;
/// How many rooms are looked at for one that a restricted room admits from.
const MAX_ALLOWED: usize = 50;

/// The `m.space.child` events of a space.
pub type Children = Vec<Raw<HierarchySpaceChildEvent>>;

/// What can be known of a room.
#[derive(Debug)]
pub struct Looked {
    /// The summary.
    pub summary: RoomSummary,
    /// The children of a space.
    pub children: Children,
    /// What another server told of them besides.
    pub told: Told,
}

/// What another server told of the children of a space.
#[derive(Debug, Default)]
pub struct Told {
    /// Those that are no spaces. Of a space, the children would be wanted too.
    rooms: BTreeMap<OwnedRoomId, RoomSummary>,
    /// Those that nobody here may know of.
    inaccessible: BTreeSet<OwnedRoomId>,
}

impl Told {
    /// Adds what another told.
    pub fn extend(&mut self, other: Self) {
        self.rooms.extend(other.rooms);
        self.inaccessible.extend(other.inaccessible);
    }
}

/// Looks at rooms.
pub struct Looker<'c> {
    /// The request's context.
    pub ctx: &'c Ctx,
    /// Who asks; `None` for who does not say.
    pub user_id: Option<OwnedUserId>,
    /// Whether only children that are suggested count.
    pub suggested_only: bool,
}

impl Looker<'_> {
    /// Looks at a room; `None` when who asks may not know of it, or nobody here and none of `via` does.
    pub async fn look(
        &self,
        room_id: &RoomId,
        via: &[OwnedServerName],
        told: &Told,
    ) -> Result<Option<Looked>, MatrixError> {
        let asker = self.user_id.clone().map_or(SpaceAsker::Anyone, SpaceAsker::User);
        let ask = GetSpaceEntry { asker, suggested_only: self.suggested_only };
        match self.ctx.call(&room_id.to_owned(), &ask).await? {
            SpaceEntry::Accessible { summary, children } => {
                let children = children.into_iter().map(Raw::from_json).collect();
                Ok(Some(Looked { summary: *summary, children, told: Told::default() }))
            }
            SpaceEntry::Inaccessible => Ok(None),
            SpaceEntry::Unknown => self.look_elsewhere(room_id, via, told).await,
        }
    }

    async fn look_elsewhere(
        &self,
        room_id: &RoomId,
        via: &[OwnedServerName],
        told: &Told,
    ) -> Result<Option<Looked>, MatrixError> {
        if told.inaccessible.contains(room_id) {
            return Ok(None);
        }
        let looked = match told.rooms.get(room_id) {
            Some(summary) => {
                Some(Looked { summary: summary.clone(), children: Vec::new(), told: Told::default() })
            }
            None => self.ask_servers(room_id, via).await?,
        };
        match looked {
            Some(looked) if self.may_know(&looked.summary).await? => Ok(Some(looked)),
            _ => Ok(None),
        }
    }

    async fn ask_servers(
        &self,
        room_id: &RoomId,
        via: &[OwnedServerName],
    ) -> Result<Option<Looked>, MatrixError> {
        let others = via.iter().filter(|server| *server != self.ctx.server_name());
        for server in others.take(MAX_SERVERS) {
            let mut request = remote_hierarchy::Request::new(room_id.to_owned());
            request.suggested_only = self.suggested_only;
            let bounds = Bounds { timeout_ms: TIMEOUT_MS, ..Bounds::default() };
            let answer = federation::send(self.ctx.platform.as_ref(), server, request, bounds).await;
            match answer {
                Ok(answer) if answer.room.summary.room_id == room_id => return Ok(Some(looked(answer))),
                Ok(_) => {}
                Err(FederationError::Internal(error)) => return Err(error),
                Err(error) => selvedge_durable_objects::log::warn("space", &error.to_string()),
            }
        }
        Ok(None)
    }

    /// Whether who asks may know of a room that only other servers take part in: these tell what any of this server's
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
        let Some(user_id) = &self.user_id else { return Ok(false) };
        for room_id in allowed.iter().take(MAX_ALLOWED) {
            let membership = GetMembership { user_id: user_id.clone() };
            if self.ctx.call(room_id, &membership).await? == MembershipState::Join {
                return Ok(true);
            }
        }
        let known = user::GetMembership { room_id: summary.room_id.clone() };
        let known = self.ctx.call(user_id.localpart(), &known).await?;
        Ok(known.is_some_and(|known| known.membership == MembershipState::Invite))
    }
}

fn looked(answer: remote_hierarchy::Response) -> Looked {
    let is_room = |summary: &RoomSummary| summary.room_type != Some(RoomType::Space);
    let rooms = answer.children.into_iter().filter(is_room);
    let told = Told {
        rooms: rooms.map(|summary| (summary.room_id.clone(), summary)).collect(),
        inaccessible: answer.inaccessible_children.into_iter().collect(),
    };
    Looked { summary: answer.room.summary, children: answer.room.children_state, told }
}
