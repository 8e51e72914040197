//! Joining, leaving, inviting, and the like.

use ruma::{OwnedEventId, OwnedMxcUri, OwnedServerName, OwnedUserId, events::room::member::MembershipState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use crate::command;

/// What a member event says of its user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberProfile {
    /// The display name.
    pub displayname: Option<String>,
    /// The avatar.
    pub avatar_url: Option<OwnedMxcUri>,
}

/// Changes a user's membership of the room. `M_FORBIDDEN` when the rules do not allow it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChangeMembership {
    /// Who makes the change.
    pub sender: OwnedUserId,
    /// Whose membership it is.
    pub target: OwnedUserId,
    /// What is to happen.
    pub action: MembershipAction,
    /// The target's profile, for a join, an invitation or a knock.
    pub profile: MemberProfile,
    /// More members of the event's content, such as `reason`.
    pub content: Map<String, Value>,
    /// Whether the sender is a guest: they may join where guests are let in only `[C-S §11.24]`.
    pub is_guest: bool,
    /// Whether a join of a user who is joined already is to renew the member event.
    pub renews: bool,
    /// For a join on the strength of a third-party invite: its `signed` object, as the client got it.
    pub third_party_signed: Option<Value>,
}
command!(ChangeMembership to Room -> MembershipOutcome);

/// The user's profile changed: the member event follows, if the user is joined and it says something else.
#[derive(Debug, Serialize, Deserialize)]
pub struct UpdateMemberProfile {
    /// The user.
    pub user_id: OwnedUserId,
    /// The profile now.
    pub profile: MemberProfile,
}
command!(UpdateMemberProfile to Room -> ());

/// What happens to a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipAction {
    /// The sender joins, or, being joined, changes nothing.
    Join,
    /// The sender asks to be let in.
    Knock,
    /// The sender leaves, declines an invitation or takes a knock back.
    Leave,
    /// The target is invited.
    Invite,
    /// The target is put out.
    Kick,
    /// The target is put out for good.
    Ban,
    /// The target's ban is lifted.
    Unban,
}

/// What came of a [`ChangeMembership`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembershipOutcome {
    /// It is done, or was so already: the member event.
    Done(OwnedEventId),
    /// Another server has to make the change: this one takes no part in the room, or none of its users may let the
    /// sender into a restricted room. These servers, if any, are known to take part.
    NeedsServer(Vec<OwnedServerName>),
    /// The target is a user of another server, which has to agree first: the event is not in the room yet.
    NeedsInvitation,
}

/// Which members to list: those with one of the memberships, or without another `[C-S §11.2.6]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetMembers {
    /// Who asks.
    pub user_id: OwnedUserId,
    /// A position of the room's timeline; `None` for now.
    pub at: Option<String>,
    /// Only this membership.
    pub membership: Option<String>,
    /// Not this membership.
    pub not_membership: Option<String>,
}
command!(GetMembers to Room -> Box<RawValue>);

/// The joined members with their profiles, for clients: `{"joined": {...}}`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetJoinedMembers {
    /// Who asks; must be joined.
    pub user_id: OwnedUserId,
}
command!(GetJoinedMembers to Room -> Box<RawValue>);

/// A user's membership in the room's current state; `leave` for one who was never in it, and for all in a room that this
/// server takes no part in.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetMembership {
    /// The user.
    pub user_id: OwnedUserId,
}
command!(GetMembership to Room -> MembershipState);
