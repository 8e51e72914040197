//! Telling the actors of other servers who of them and of us is in the room: while they share it with us, their servers
//! tell us of changes to their devices.

use std::collections::BTreeMap;

use ruma::{OwnedServerName, OwnedUserId};

use super::{PAGE, RoomEngine, call_each};
use crate::{
    database::DatabaseError,
    rpc::{
        self,
        remote_server::{ForgetDevices, RoomShared},
        user::IntroduceDevices,
    },
};

/// What is still to be told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ResidentChanges {
    /// Servers that came to take part in the room.
    pub servers_came: Vec<OwnedServerName>,
    /// Users of other servers who left.
    pub users_left: Vec<OwnedUserId>,
    /// Whether users of this server left.
    pub locals_left: bool,
    /// Users of this server whose devices changed while it was not known which servers take part.
    pub locals_changed: Vec<OwnedUserId>,
}

impl ResidentChanges {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.servers_came.is_empty()
            && self.users_left.is_empty()
            && !self.locals_left
            && self.locals_changed.is_empty()
    }

    /// Adds what happened later.
    pub fn extend(&mut self, later: Self) {
        self.servers_came.extend(later.servers_came);
        self.users_left.extend(later.users_left);
        self.locals_left |= later.locals_left;
        self.locals_changed.extend(later.locals_changed);
    }
}

impl RoomEngine {
    /// Tells what happened since it was last told; `false` when some actor could not be called.
    pub(super) async fn tell_residents(&self) -> Result<bool, DatabaseError> {
        let changes = self.wakes.residents.take();
        if changes.is_empty() {
            return Ok(true);
        }
        let room_id = &self.room_id()?;
        let platform = self.runtime.platform.as_ref();
        let lost_servers = call_each(changes.servers_came, |server: OwnedServerName| async move {
            rpc::call(platform, &server, &RoomShared { room_id: room_id.clone() }).await
        });
        let lost_servers = lost_servers.await;
        let mut left: BTreeMap<OwnedServerName, Vec<OwnedUserId>> = BTreeMap::new();
        for user_id in changes.users_left {
            left.entry(user_id.server_name().to_owned()).or_default().push(user_id);
        }
        let lost_users = call_each(left.into_iter().collect(), |(server, users)| async move {
            rpc::call(platform, &server, &ForgetDevices { users, room_id: None }).await
        });
        let lost_users: Vec<_> = lost_users.await.into_iter().flat_map(|(_, users)| users).collect();
        let is_done = !changes.locals_left || self.tell_of_our_leave().await?;
        let lost_locals = call_each(changes.locals_changed, |user_id: OwnedUserId| async move {
            rpc::call(platform, user_id.localpart(), &IntroduceDevices { room_id: room_id.clone() }).await
        });
        let lost = ResidentChanges {
            servers_came: lost_servers,
            users_left: lost_users,
            locals_left: !is_done,
            locals_changed: lost_locals.await,
        };
        let is_done = lost.is_empty();
        self.wakes.residents.borrow_mut().extend(lost);
        Ok(is_done)
    }

    /// When nobody of this server is in the room any more, no server tells us of its users for that.
    async fn tell_of_our_leave(&self) -> Result<bool, DatabaseError> {
        if self.store.is_any_local_joined()? {
            return Ok(true);
        }
        let room_id = &self.room_id()?;
        let platform = self.runtime.platform.as_ref();
        let (mut is_done, mut after) = (true, String::new());
        loop {
            let page = self.store.resident_servers(&after, PAGE)?;
            let Some(last) = page.last() else { return Ok(is_done) };
            last.name.as_str().clone_into(&mut after);
            let servers = page.into_iter().map(|server| server.name).collect();
            let lost = call_each(servers, |server: OwnedServerName| async move {
                let command = ForgetDevices { users: Vec::new(), room_id: Some(room_id.clone()) };
                rpc::call(platform, &server, &command).await
            });
            is_done &= lost.await.is_empty();
        }
    }

    /// What a crash may have kept from being told: all that happened since the last wake that was done.
    pub(super) fn recover_residents(
        &self,
        woken: crate::rpc::room::LogPosition,
        end: crate::rpc::room::LogPosition,
    ) -> Result<ResidentChanges, DatabaseError> {
        let own = &self.runtime.platform.config().server_name;
        let users = self.store.device_list_changes(woken, end)?;
        let servers_came =
            users.iter().map(|user| user.server_name()).filter(|name| name != own).map(ToOwned::to_owned);
        // To forget what is right costs but a question.
        Ok(ResidentChanges {
            servers_came: servers_came.collect(),
            users_left: users.iter().filter(|user| user.server_name() != own).cloned().collect(),
            locals_left: true,
            locals_changed: Vec::new(),
        })
    }
}
