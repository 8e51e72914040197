//! Who is in the room, as far as this server must tell them something.

use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};
use selvedge_protocol::nid::EventNid;

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

const MEMBERS_OF: &str = "SELECT e.nid, k.state_key, e.membership FROM json_each(?) j JOIN event e ON e.nid = j.value \
     JOIN state_key k ON k.nid = e.key WHERE e.type = 'm.room.member'";
const MEMBER: &str = "SELECT user_id, membership, nid, position FROM local_member WHERE user_id = ?";
const JOINED: &str = "SELECT user_id FROM local_member WHERE membership = 'join' AND user_id > ? \
     ORDER BY user_id LIMIT ?";
const CHANGED_SINCE: &str =
    "SELECT user_id, membership, nid, position FROM local_member WHERE position > ? ORDER BY position";
const ANY_JOINED: &str = "SELECT 1 FROM local_member WHERE membership = 'join' LIMIT 1";
const SET_MEMBER: &str = "INSERT INTO local_member (user_id, membership, nid, position) VALUES (?, ?, ?, ?) \
     ON CONFLICT (user_id) DO UPDATE SET membership = excluded.membership, nid = excluded.nid, \
     position = excluded.position";
const SERVER: &str = "SELECT name, joined, since, until FROM server WHERE name = ?";
const RESIDENT: &str = "SELECT name, joined, since, until FROM server WHERE joined > 0 AND name > ? \
     ORDER BY name LIMIT ?";
const LEFT_SINCE: &str = "SELECT name, joined, since, until FROM server WHERE until > ?";
const SET_SERVER: &str = "INSERT INTO server (name, joined, since, until) VALUES (?, ?, ?, ?) \
     ON CONFLICT (name) DO UPDATE SET joined = excluded.joined, since = excluded.since, until = excluded.until";

/// A user of this server with a membership in the current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMember {
    /// The user.
    pub user_id: OwnedUserId,
    /// `join`, `invite`, `knock`, `leave`, `ban`.
    pub membership: String,
    /// The member event; `None` when state resolution took it away.
    pub nid: Option<EventNid>,
    /// The log's end when it became current.
    pub position: LogPosition,
}

impl LocalMember {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        let user_id: String = row.get(0)?;
        Ok(Self {
            user_id: OwnedUserId::try_from(user_id).map_err(|_| DatabaseError::corrupt("user id"))?,
            membership: row.get(1)?,
            nid: row.get::<Option<u32>>(2)?.map(EventNid),
            position: LogPosition(row.get(3)?),
        })
    }
}

/// A member event, as far as counting needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// The event.
    pub nid: EventNid,
    /// Its state key, which is a user id in any event that was accepted.
    pub user_id: String,
    /// Its `membership`.
    pub membership: Option<String>,
}

/// Another server that has, or had, users in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidentServer {
    /// The server.
    pub name: OwnedServerName,
    /// How many of its users are joined.
    pub joined: u64,
    /// The position at which it came, last: it is owed what follows.
    pub since: LogPosition,
    /// The position at which its last user left: it is owed nothing after.
    pub until: Option<LogPosition>,
}

impl ResidentServer {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        let name: String = row.get(0)?;
        Ok(Self {
            name: OwnedServerName::try_from(name).map_err(|_| DatabaseError::corrupt("server name"))?,
            joined: row.get(1)?,
            since: LogPosition(row.get(2)?),
            until: row.get::<Option<u64>>(3)?.map(LogPosition),
        })
    }
}

impl Store {
    /// Those of the events that are member events.
    pub fn members_of(&self, nids: &[EventNid]) -> Result<Vec<MemberRow>, DatabaseError> {
        let list = nids.iter().map(|nid| nid.0.to_string()).collect::<Vec<_>>().join(",");
        self.db().query(MEMBERS_OF, params![&format!("[{list}]")], |row| {
            Ok(MemberRow { nid: EventNid(row.get(0)?), user_id: row.get(1)?, membership: row.get(2)? })
        })
    }

    /// A local user's membership in the current state, if they ever had one.
    pub fn local_member(&self, user_id: &UserId) -> Result<Option<LocalMember>, DatabaseError> {
        self.db().query_first(MEMBER, params![user_id.as_str()], LocalMember::read)
    }

    /// Up to `limit` joined users of this server, after `after` (`""` for the first).
    pub fn joined_local(&self, after: &str, limit: u32) -> Result<Vec<OwnedUserId>, DatabaseError> {
        let ids: Vec<String> = self.db().query(JOINED, params![after, limit], |row| row.get(0))?;
        ids.into_iter()
            .map(|id| OwnedUserId::try_from(id).map_err(|_| DatabaseError::corrupt("user id")))
            .collect()
    }

    /// Whether any user of this server is joined: whether this server takes part in the room.
    pub fn is_any_local_joined(&self) -> Result<bool, DatabaseError> {
        Ok(self.db().query_first(ANY_JOINED, params![], |_| Ok(()))?.is_some())
    }

    /// The local users whose membership changed after a position.
    pub fn local_members_changed(&self, after: LogPosition) -> Result<Vec<LocalMember>, DatabaseError> {
        self.db().query(CHANGED_SINCE, params![after.0], LocalMember::read)
    }

    /// What is known of another server's part in the room.
    pub fn server(&self, name: &ServerName) -> Result<Option<ResidentServer>, DatabaseError> {
        self.db().query_first(SERVER, params![name.as_str()], ResidentServer::read)
    }

    /// Up to `limit` other servers with joined users, after `after` (`""` for the first).
    pub fn resident_servers(&self, after: &str, limit: u32) -> Result<Vec<ResidentServer>, DatabaseError> {
        self.db().query(RESIDENT, params![after, limit], ResidentServer::read)
    }

    /// The servers whose last user left after a position.
    pub fn servers_left_since(&self, after: LogPosition) -> Result<Vec<ResidentServer>, DatabaseError> {
        self.db().query(LEFT_SINCE, params![after.0], ResidentServer::read)
    }
}

impl Writer<'_> {
    /// Writes a local user's membership.
    pub fn set_local_member(&mut self, member: &LocalMember) -> Result<(), DatabaseError> {
        self.db().execute(
            SET_MEMBER,
            params![
                member.user_id.as_str(),
                &member.membership,
                member.nid.map(|nid| nid.0),
                member.position.0
            ],
        )
    }

    /// Writes another server's part in the room.
    pub fn set_server(&mut self, server: &ResidentServer) -> Result<(), DatabaseError> {
        self.db().execute(
            SET_SERVER,
            params![
                server.name.as_str(),
                server.joined,
                server.since.0,
                server.until.map(|position| position.0)
            ],
        )
    }
}
