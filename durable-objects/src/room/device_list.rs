//! Device lists of members: whose devices changed, and who shares the room with whom `[C-S §11.15.4]`.
//!
//! For each user who came, left, or changed their devices, the room keeps at which position of the log that was last.
//! What a client is to be told follows from that and from who is joined at the end of what it is shown.

use std::{collections::BTreeSet, rc::Rc};

use ruma::{OwnedServerName, OwnedUserId, UserId, events::room::member::MembershipState};

use super::{RoomEngine, commit::Effects, state::State, store::Store, view};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::room::{
        DeviceLists, GetDeviceLists, LogPosition, MemberDevicesChanged, OtherServers, ServersOfRoom,
        WhoIsJoined,
    },
};

/// How many servers, or members, are read at a time.
const PAGE: u32 = 1_000;

impl RoomEngine {
    pub(super) async fn member_devices_changed(
        self: &Rc<Self>,
        command: MemberDevicesChanged,
    ) -> Result<Vec<OwnedServerName>, MatrixError> {
        if self.is_partial()? {
            let own = &self.runtime.platform.config().server_name;
            let mut noted = command.users.clone();
            noted.retain(|user_id| {
                user_id.server_name() == own || self.is_unknown_member(user_id).unwrap_or(true)
            });
            self.store.write(|writer| {
                noted.iter().try_for_each(|user_id| writer.insert_partial_device_change(user_id))
            })?;
        }
        let joined = self.joined_among(command.users)?;
        if joined.is_empty() {
            return Ok(Vec::new());
        }
        let is_alone = self.store.meta()?.joined <= 1;
        if !is_alone {
            let position = self.store.write(|writer| {
                let mut meta = (*writer.meta()?).clone();
                meta.last_position = LogPosition(meta.last_position.0.saturating_add(1));
                let position = meta.last_position;
                joined.iter().try_for_each(|user| writer.set_device_list_change(user, position))?;
                writer.set_meta(meta)?;
                Ok::<_, DatabaseError>(position)
            })?;
            self.wake(Effects { position: Some(position), ..Effects::default() });
        }
        let own = &self.runtime.platform.config().server_name;
        if joined.iter().any(|user| user.server_name() == own) {
            return Ok(self.other_servers()?);
        }
        Ok(Vec::new())
    }

    pub(super) fn servers_for(&self, command: OtherServers) -> Result<ServersOfRoom, MatrixError> {
        if self.joined_among(vec![command.user_id])?.is_empty() {
            return Ok(ServersOfRoom::default());
        }
        Ok(ServersOfRoom { servers: self.other_servers()?, is_partial: self.is_partial()? })
    }

    pub(super) fn who_is_joined(&self, command: WhoIsJoined) -> Result<Vec<OwnedUserId>, MatrixError> {
        Ok(self.joined_among(command.users)?)
    }

    pub(super) fn get_device_lists(&self, command: GetDeviceLists) -> Result<DeviceLists, MatrixError> {
        let Some(meta) = self.store.find_meta()? else { return Ok(DeviceLists::default()) };
        let member = self.store.local_member(&command.user_id)?;
        let lists = match member {
            Some(member) if member.membership == "join" => {
                self.device_lists_of_member(command.from, command.before, meta.last_position)
            }
            Some(member) if matches!(member.membership.as_str(), "leave" | "ban") => {
                self.device_lists_of_leaver(&command.user_id, command.from, member.position)
            }
            _ => Ok(DeviceLists::default()),
        };
        Ok(lists?)
    }

    /// For one who is joined. If the room is new to the client, all are; of those whom it knew of `before`, for the
    /// user was in the room then, some may have gone meanwhile.
    pub(super) fn device_lists_of_member(
        &self,
        from: Option<LogPosition>,
        before: Option<LogPosition>,
        end: LogPosition,
    ) -> Result<DeviceLists, DatabaseError> {
        let state = State::at(&self.store, self.store.root_at(end)?);
        let Some(from) = from else {
            let changed = joined_members(&self.store, &state)?;
            let mut left = self.members_at(before)?;
            left.retain(|user_id| !changed.contains(user_id));
            return Ok(DeviceLists {
                changed: changed.into_iter().collect(),
                left: left.into_iter().collect(),
            });
        };
        let mut lists = DeviceLists::default();
        for user_id in self.store.device_list_changes(from, end)? {
            let is_joined = state.membership(&user_id)? == MembershipState::Join;
            if is_joined { &mut lists.changed } else { &mut lists.left }.push(user_id);
        }
        Ok(lists)
    }

    /// For one who has left, or was made to: whoever was there with them. What happened while this server was out of the
    /// room is seen only in who was there before.
    pub(super) fn device_lists_of_leaver(
        &self,
        user_id: &UserId,
        from: Option<LogPosition>,
        end: LogPosition,
    ) -> Result<DeviceLists, DatabaseError> {
        let Some(from) = from else { return Ok(DeviceLists::default()) };
        // What a token says proves nothing: only who was in the room then knew of others, and of none who came after them.
        if State::at(&self.store, self.store.root_at(from)?).membership(user_id)? != MembershipState::Join {
            return Ok(DeviceLists::default());
        }
        let end = end.min(view::joined_until(&self.store, user_id)?);
        let mut left = self.members_at(Some(end))?;
        left.extend(self.members_at(Some(from))?);
        left.extend(self.store.device_list_changes(from, end)?);
        left.remove(user_id);
        Ok(DeviceLists { changed: Vec::new(), left: left.into_iter().collect() })
    }

    /// Who was joined at a position of the log.
    fn members_at(&self, position: Option<LogPosition>) -> Result<BTreeSet<OwnedUserId>, DatabaseError> {
        let Some(position) = position else { return Ok(BTreeSet::new()) };
        joined_members(&self.store, &State::at(&self.store, self.store.root_at(position)?))
    }

    /// Those who are joined, while anyone of this server is.
    fn joined_among(&self, users: Vec<OwnedUserId>) -> Result<Vec<OwnedUserId>, DatabaseError> {
        if self.store.find_meta()?.is_none() || !self.store.is_any_local_joined()? {
            return Ok(Vec::new());
        }
        let state = State::current(&self.store)?;
        let mut joined = Vec::new();
        for user in users {
            if state.membership(&user)? == MembershipState::Join {
                joined.push(user);
            }
        }
        Ok(joined)
    }

    /// The other servers in the room.
    fn other_servers(&self) -> Result<Vec<OwnedServerName>, DatabaseError> {
        let mut servers = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.store.resident_servers(&after, PAGE)?;
            let Some(last) = page.last() else { return Ok(servers) };
            last.name.as_str().clone_into(&mut after);
            servers.extend(page.into_iter().map(|server| server.name));
        }
    }
}

/// All who are joined.
fn joined_members(store: &Store, state: &State) -> Result<BTreeSet<OwnedUserId>, DatabaseError> {
    let mut joined = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let keys = store.keys_of_type("m.room.member", after.as_deref(), PAGE)?;
        for key in &keys {
            let Some(nid) = state.nid(key.nid)? else { continue };
            let is_joined = store.membership_of(nid)?.as_deref() == Some("join");
            if is_joined && let Ok(user_id) = OwnedUserId::try_from(key.state_key.as_str()) {
                joined.insert(user_id);
            }
        }
        let Some(last) = keys.into_iter().next_back() else { return Ok(joined) };
        after = Some(last.state_key);
    }
}
