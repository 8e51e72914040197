//! Device lists of members `[C-S §11.15.4]`.

use ruma::{OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::LogPosition;
use crate::command;

/// Devices or cross-signing keys of users changed. Those who are joined count as changed for who shares the room. Gives
/// the other servers in the room, if any of the users is of this server.
#[derive(Debug, Serialize, Deserialize)]
pub struct MemberDevicesChanged {
    /// The users.
    pub users: Vec<OwnedUserId>,
}
command!(MemberDevicesChanged to Room -> Vec<OwnedServerName>);

/// The other servers in the room; none if the user is not joined.
#[derive(Debug, Serialize, Deserialize)]
pub struct OtherServers {
    /// A user of this server.
    pub user_id: OwnedUserId,
}
command!(OtherServers to Room -> ServersOfRoom);

/// The answer to [`OtherServers`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ServersOfRoom {
    /// The servers.
    pub servers: Vec<OwnedServerName>,
    /// Whether the room was joined without its members, which are not known yet: it is a large one.
    pub is_partial: bool,
}

/// Which of these users are joined, while a user of this server is?
#[derive(Debug, Serialize, Deserialize)]
pub struct WhoIsJoined {
    /// The users.
    pub users: Vec<OwnedUserId>,
}
command!(WhoIsJoined to Room -> Vec<OwnedUserId>);

/// Whose devices a client is to look at anew for what happened in the room. For a user who is not in it any more: up to
/// when they left.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetDeviceLists {
    /// Who asks.
    pub user_id: OwnedUserId,
    /// How far the client has seen the room; `None` when the room is new to it.
    pub from: Option<LogPosition>,
    /// How far it saw the room when the user was in it before, if the room is new to it since.
    pub before: Option<LogPosition>,
}
command!(GetDeviceLists to Room -> DeviceLists);

/// What happened in one room to the device lists that a client follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLists {
    /// Users who share the room with the client, and did not, or have changed their devices.
    pub changed: Vec<OwnedUserId>,
    /// Users who do not share the room with the client any more. They may share another one.
    pub left: Vec<OwnedUserId>,
}
