//! Memberships that take two servers: one that takes part in the room, and the user's own.

use ruma::{OwnedServerName, OwnedUserId, RoomVersionId, events::room::member::MembershipState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::CheckedEvent;
use crate::command;

/// Another server's user wants to join, leave or knock: proposes the event for it `[S-S §10, make_join]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProposeMembership {
    /// The server that asks.
    pub server: OwnedServerName,
    /// Its user.
    pub user_id: OwnedUserId,
    /// What the user wants to be.
    pub membership: MembershipState,
    /// The room versions that the server speaks; none for all.
    pub versions: Vec<RoomVersionId>,
}
command!(ProposeMembership to Room -> ProposedMembership);

/// See [`ProposeMembership`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ProposedMembership {
    /// The room's version.
    pub version: RoomVersionId,
    /// The event without hashes and signatures.
    pub event: Box<RawValue>,
}

/// Another server made such an event: takes it in and passes it on `[S-S §10, send_join]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct AcceptMembership {
    /// The server that made it.
    pub server: OwnedServerName,
    /// The event.
    pub event: CheckedEvent,
    /// What it answers with.
    pub answer: WantedAnswer,
}
command!(AcceptMembership to Room -> AcceptedMembership);

/// What the server that made a member event needs to know of the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WantedAnswer {
    /// Nothing.
    Nothing,
    /// What those see who knock.
    StrippedState,
    /// The state before the event and all that leads to it; perhaps without members.
    State {
        /// Whether members may be left out.
        omit_members: bool,
    },
}

/// See [`AcceptMembership`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct AcceptedMembership {
    /// The event as the room has it now, with the signature of the room's policy server, if it uses one.
    pub event: Option<Box<RawValue>>,
    /// State events: as far as they were wanted.
    pub state: Vec<Box<RawValue>>,
    /// Events that lead to those.
    pub auth_chain: Vec<Box<RawValue>>,
    /// Whether members were left out.
    pub members_omitted: bool,
    /// The servers in the room before the event, if members were left out.
    pub servers: Vec<OwnedServerName>,
}

/// Makes an invitation of another server's user, which that server must sign before it is committed.
#[derive(Debug, Serialize, Deserialize)]
pub struct DraftInvitation {
    /// Who invites.
    pub sender: OwnedUserId,
    /// Who is invited.
    pub target: OwnedUserId,
    /// The event's content, but for the membership.
    pub content: Map<String, Value>,
}
command!(DraftInvitation to Room -> DraftedInvitation);

/// See [`DraftInvitation`].
#[derive(Debug, Serialize, Deserialize)]
pub struct DraftedInvitation {
    /// The room's version.
    pub version: RoomVersionId,
    /// The event, signed by this server.
    pub event: Box<RawValue>,
    /// What the invited user may know of the room: whole events.
    pub room_state: Vec<Box<RawValue>>,
}

/// Takes in a drafted invitation that the invited user's server has signed.
#[derive(Debug, Serialize, Deserialize)]
pub struct CommitInvitation {
    /// The event.
    pub event: CheckedEvent,
}
command!(CommitInvitation to Room -> ());
