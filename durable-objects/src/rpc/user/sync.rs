//! Memberships, wakes, and the sync of a user's clients.

use ruma::{
    OwnedDeviceId, OwnedRoomId, OwnedUserId, RoomVersionId,
    events::{AnyStrippedStateEvent, room::member::MembershipState},
    presence::PresenceState,
    serde::Raw,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Authenticate;
use crate::{
    command,
    rpc::{room::LogPosition, sync_token::SeenRoom},
};

/// The user's membership of a room is now another. Sent by the room, or, for a room that this server
/// is not in, by who learnt of it. May be repeated and may arrive late: the room's positions tell.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetMembership {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The membership now.
    pub membership: MembershipState,
    /// Where the change stands in the room's log; `None` from outside the room.
    pub position: Option<LogPosition>,
    /// Who made the change.
    pub sender: OwnedUserId,
    /// For an invitation or a knock: what the user may know of the room, its own member event included.
    pub stripped_state: Vec<Raw<AnyStrippedStateEvent>>,
    /// For a change from outside the room that ends an invitation or a knock: the member event as
    /// clients see it.
    pub event: Option<Box<RawValue>>,
    /// The room that this one replaces.
    pub predecessor: Option<OwnedRoomId>,
}
command!(SetMembership to User -> ());

/// The room, in which the user is or was, has something new in its log.
#[derive(Debug, Serialize, Deserialize)]
pub struct RoomChanged {
    /// The room.
    pub room_id: OwnedRoomId,
    /// The log's end.
    pub position: LogPosition,
}
command!(RoomChanged to User -> ());

/// Something that is not in the log changed in the room: who types.
#[derive(Debug, Serialize, Deserialize)]
pub struct RoomStirred {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(RoomStirred to User -> ());

/// The user wants to hear no more of a room that they left `[C-S §11.3]`. `M_UNKNOWN` while they are in it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetRoom {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(ForgetRoom to User -> ());

/// The rooms that the user is joined to.
#[derive(Debug, Serialize, Deserialize)]
pub struct JoinedRooms {}
command!(JoinedRooms to User -> Vec<OwnedRoomId>);

/// The rooms that the user is joined to, or has left.
#[derive(Debug, Serialize, Deserialize)]
pub struct KnownRooms {}
command!(KnownRooms to User -> Vec<OwnedRoomId>);

/// The user's membership of a room, as far as this actor was told; `None` when there never was one.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetMembership {
    /// The room.
    pub room_id: OwnedRoomId,
}
command!(GetMembership to User -> Option<RoomMembership>);

/// A user's membership of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMembership {
    /// The membership.
    pub membership: MembershipState,
    /// Who set it.
    pub sender: OwnedUserId,
    /// Whether the user has forgotten the room.
    pub is_forgotten: bool,
    /// Of an invitation or a knock: the room's version, as far as it was told.
    pub version: Option<RoomVersionId>,
}

/// What a client's `/sync` asks for. As a command it is answered at once; a client that waits sends
/// it with the request for a WebSocket, and gets a [`Synced`] at once or as the one frame.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sync {
    /// Who asks.
    pub credentials: Authenticate,
    /// The token to go on from.
    pub since: Option<String>,
    /// The filter.
    pub filter: Option<WantedFilter>,
    /// Whether all rooms are wanted, changed or not.
    pub full_state: bool,
    /// How the user is to appear.
    pub set_presence: PresenceState,
}
command!(Sync to User -> Synced);

/// A filter, as `/sync` names one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WantedFilter {
    /// The id of a stored one.
    Id(String),
    /// The JSON of a definition.
    Definition(Box<RawValue>),
}

/// The user's part of the answer to a `/sync`, and which rooms have to be asked for theirs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Synced {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device.
    pub device_id: OwnedDeviceId,
    /// The filter's definition; `None` when none was given.
    pub filter: Option<Box<RawValue>>,
    /// For the next token: see [`SyncToken`](crate::rpc::sync_token::SyncToken).
    pub chain: u64,
    /// For the next token.
    pub stream: u64,
    /// For the next token.
    pub to_device: u64,
    /// For the next token.
    pub volatile: u64,
    /// For the next token.
    pub selection: u32,
    /// The rooms that have something for the client.
    pub rooms: Vec<ChangedRoom>,
    /// For the rooms: the content of the user's `m.push_rules`; `None` when they have changed none.
    pub push_rules: Option<Box<RawValue>>,
    /// For the rooms: whose events are left out.
    pub ignored_users: Vec<OwnedUserId>,
    /// Members of the answer that are the user's own.
    pub sections: Vec<Section>,
}

impl Synced {
    /// Whether there is anything that a client waits for.
    pub fn is_news(&self) -> bool {
        !self.rooms.is_empty() || self.sections.iter().any(|section| section.is_news)
    }
}

/// One member of the answer to a `/sync`, such as `account_data`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Its value.
    pub json: Box<RawValue>,
    /// Whether it ends a client's waiting; what is in every answer does not.
    pub is_news: bool,
}

/// A room in the answer to a `/sync`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangedRoom {
    /// The user's number for it.
    pub number: u32,
    /// The room.
    pub room_id: OwnedRoomId,
    /// Where in the stream it last changed.
    pub changed_at: u64,
    /// Whether someone may have begun or ceased to type there since.
    pub is_stirred: bool,
    /// How the user stands to it.
    pub standing: Standing,
    /// Its account data for the client: events.
    pub account_data: Vec<Box<RawValue>>,
}

/// How a user stands to a room, and what is shown of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Joined. The room is asked for what comes after `from`, or, if it is new to the client, for all.
    Joined {
        /// How far the client has seen the room.
        from: Option<LogPosition>,
        /// How far it saw the room when the user was in it before, if the room is new to it since.
        before: Option<LogPosition>,
    },
    /// Left or banned. The room is asked for what was before that.
    Left {
        /// How far the client has seen the room.
        from: Option<LogPosition>,
    },
    /// An invitation or knock to a room that this server is not in ended: the member event, if known.
    Declined(Option<RawJson>),
    /// Invited, with the stripped state, a JSON array.
    Invited(RawJson),
    /// Knocked, with the stripped state, a JSON array.
    Knocked(RawJson),
}

/// JSON text that is passed on as it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(pub Box<RawValue>);

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}
impl Eq for RawJson {}

/// The edge hands in how far a client will have seen the rooms of an answer with so many of them that
/// its token cannot carry it.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoreSeen {
    /// The chain of the token.
    pub chain: u64,
    /// The stream's position in the token.
    pub stream: u64,
    /// How far each room is seen.
    pub seen: Vec<SeenRoom>,
}
command!(StoreSeen to User -> ());
