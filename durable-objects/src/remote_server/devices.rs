//! Keys of the server's users: asked for, and remembered for as long as they are known to be right.
//!
//! While a user of the server shares a room with one of ours, the server tells when the user's devices change `[S-S §10]`.
//! So what was asked for stays right until the user and ours part in a room by which this was known, or a change is missed
//! (see [`update`]). Then it is asked for anew when it is wanted, and never shown as if it were right.

mod cache;
mod update;

use std::collections::{BTreeMap, BTreeSet};

use ruma::{
    OwnedDeviceId, OwnedRoomId, OwnedUserId,
    api::federation::{device::get_devices::v1 as get_devices, keys::get_keys::v1 as get_keys},
};

pub(super) use self::cache::DeviceNews;
use self::{cache::Known, update::named};
use super::{RemoteServerEngine, find_event::MAX_ROOMS};
use crate::{
    concurrent::{ALL, each, try_each},
    federation::{self, Bounds, FederationError},
    matrix_error::MatrixError,
    rpc::{
        self,
        remote_server::{ForgetDevices, QueryRemoteKeys, RemoteKeys, RoomShared},
        room::{MemberDevicesChanged, WhoIsJoined},
        user::UserKeys,
    },
};

/// How many rooms are asked at the same time.
const CONCURRENCY: usize = 16;
/// Of how many users all devices are asked for, each by a request of its own; of more at a time, keys alone.
const MAX_LISTS: usize = 16;

type Wanted = BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>;

impl RemoteServerEngine {
    pub(super) async fn query_remote_keys(
        &self,
        command: QueryRemoteKeys,
    ) -> Result<RemoteKeys, MatrixError> {
        let server = self.server_name()?;
        let mut users = BTreeMap::new();
        let (mut stale, mut missing) = (Wanted::new(), Wanted::new());
        for (user_id, devices) in command.users {
            if user_id.server_name() != server {
                continue;
            }
            match self.known_keys(&user_id)? {
                Known::Right(keys) => {
                    users.insert(user_id, only(keys, &devices));
                }
                Known::Stale if stale.len() < MAX_LISTS => {
                    stale.insert(user_id, devices);
                }
                Known::Stale | Known::Nothing => {
                    missing.insert(user_id, devices);
                }
            }
        }
        let bounds = Bounds { timeout_ms: command.timeout_ms, ..Bounds::default() };
        let (lists, keys) = futures_util::join!(
            self.fetch_device_lists(stale, bounds),
            self.fetch_device_keys(missing, bounds)
        );
        let RemoteKeys { users: listed, mut failure } = lists?;
        users.extend(listed);
        match keys {
            Ok(fetched) => users.extend(fetched),
            Err(error) => failure = Some(error),
        }
        Ok(RemoteKeys { users, failure })
    }

    /// Asks the server for all devices of users of whom something was missed: what it says has a place among its
    /// updates, by which later ones can be applied.
    async fn fetch_device_lists(&self, wanted: Wanted, bounds: Bounds) -> Result<RemoteKeys, MatrixError> {
        let mut fetched = RemoteKeys { users: BTreeMap::new(), failure: None };
        if wanted.is_empty() {
            return Ok(fetched);
        }
        let moment = self.device_news.now();
        let shared = self.rooms_shared_with(wanted.keys().cloned().collect()).await?;
        let answers = each(ALL, wanted.keys(), |user_id| self.ask_for_device_list(user_id, bounds)).await;
        let mut refused = Wanted::new();
        for ((user_id, devices), answer) in wanted.into_iter().zip(answers) {
            match answer {
                Ok(keys) => {
                    if let Some(room_id) = shared.get(&user_id) {
                        self.remember_keys(&user_id, room_id, &keys, moment)?;
                    }
                    fetched.users.insert(user_id, only(keys, &devices));
                }
                // Some servers do not have this endpoint.
                Err(FederationError::Refused(_) | FederationError::BadAnswer { .. }) => {
                    refused.insert(user_id, devices);
                }
                Err(error) => fetched.failure = Some(error.into()),
            }
        }
        match self.fetch_device_keys(refused, bounds).await {
            Ok(keys) => fetched.users.extend(keys),
            Err(error) => fetched.failure = Some(error),
        }
        Ok(fetched)
    }

    async fn ask_for_device_list(
        &self,
        user_id: &OwnedUserId,
        bounds: Bounds,
    ) -> Result<UserKeys, FederationError> {
        let request = get_devices::Request::new(user_id.clone());
        let server = self.server_name().map_err(FederationError::Internal)?;
        let answer = federation::send(self.runtime.platform.as_ref(), &server, request, bounds).await?;
        let devices = answer.devices.into_iter().filter_map(|device| {
            let name = device.device_display_name.as_deref();
            let keys = named(user_id, &device.device_id, &device.keys, name)?;
            Some((device.device_id, keys))
        });
        Ok(UserKeys {
            devices: devices.collect(),
            master_key: answer.master_key,
            self_signing_key: answer.self_signing_key,
            user_signing_key: None,
            stream_id: answer.stream_id.into(),
        })
    }

    /// Asks the server, and remembers what it says of users who share a room with ours.
    async fn fetch_device_keys(
        &self,
        wanted: Wanted,
        bounds: Bounds,
    ) -> Result<BTreeMap<OwnedUserId, UserKeys>, MatrixError> {
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let moment = self.device_news.now();
        let shared = self.rooms_shared_with(wanted.keys().cloned().collect()).await?;
        let asked = wanted.iter().map(|(user_id, devices)| {
            let all = shared.contains_key(user_id);
            (user_id.clone(), if all { Vec::new() } else { devices.clone() })
        });
        let fetched = self.ask_for_device_keys(asked.collect(), bounds).await?;
        for (user_id, room_id) in &shared {
            if let Some(keys) = fetched.get(user_id) {
                self.remember_keys(user_id, room_id, keys, moment)?;
            }
        }
        let none = Vec::new();
        let narrowed = fetched.into_iter().map(|(user_id, keys)| {
            let keys = only(keys, wanted.get(&user_id).unwrap_or(&none));
            (user_id, keys)
        });
        Ok(narrowed.collect())
    }

    /// For each of the users a room that they share with one of ours, if there is any.
    async fn rooms_shared_with(
        &self,
        mut users: Vec<OwnedUserId>,
    ) -> Result<BTreeMap<OwnedUserId, OwnedRoomId>, MatrixError> {
        let platform = self.runtime.platform.as_ref();
        let mut shared = BTreeMap::new();
        let rooms = self.shared_rooms(MAX_ROOMS)?;
        for rooms in rooms.chunks(CONCURRENCY) {
            let command = WhoIsJoined { users: users.clone() };
            let answers = try_each(ALL, rooms, |room_id| rpc::call(platform, room_id, &command)).await?;
            for (room_id, joined) in rooms.iter().zip(answers) {
                shared.extend(joined.into_iter().map(|user_id| (user_id, room_id.clone())));
            }
            users.retain(|user_id| !shared.contains_key(user_id));
            if users.is_empty() {
                break;
            }
        }
        Ok(shared)
    }

    /// Asks the server. It speaks for its own users, and only of what was asked.
    async fn ask_for_device_keys(
        &self,
        users: Wanted,
        bounds: Bounds,
    ) -> Result<BTreeMap<OwnedUserId, UserKeys>, MatrixError> {
        let request = get_keys::Request::new(users.clone());
        let platform = self.runtime.platform.as_ref();
        let mut answer = federation::send(platform, &self.server_name()?, request, bounds).await?;
        let keys = users.into_keys().map(|user_id| {
            let keys = UserKeys {
                devices: answer.device_keys.remove(&user_id).unwrap_or_default(),
                master_key: answer.master_keys.remove(&user_id),
                self_signing_key: answer.self_signing_keys.remove(&user_id),
                ..UserKeys::default()
            };
            (user_id, keys)
        });
        Ok(keys.collect())
    }

    /// The server told that devices or keys of its users changed: who follows them is told.
    pub(super) async fn devices_changed(&self, users: BTreeSet<OwnedUserId>) -> Result<(), MatrixError> {
        if users.is_empty() {
            return Ok(());
        }
        let command = MemberDevicesChanged { users: users.into_iter().collect() };
        let platform = self.runtime.platform.as_ref();
        let rooms = self.shared_rooms(MAX_ROOMS)?;
        let outcomes = each(CONCURRENCY, rooms, |room_id| rpc::call(platform, &room_id, &command)).await;
        let failed = outcomes.into_iter().filter_map(Result::err).find(|error| error.status >= 500);
        failed.map_or(Ok(()), Err)
    }

    pub(super) fn forget_devices(&self, command: ForgetDevices) -> Result<(), MatrixError> {
        command.users.iter().try_for_each(|user_id| self.forget_user(user_id))?;
        if let Some(room_id) = &command.room_id {
            self.forget_room(room_id)?;
        }
        Ok(())
    }

    pub(super) fn room_shared(&self, command: RoomShared) -> Result<(), MatrixError> {
        Ok(self.note_rooms([&command.room_id].into_iter())?)
    }
}

/// Of a user's keys those of the devices that are wanted: none for all.
fn only(mut keys: UserKeys, wanted: &[OwnedDeviceId]) -> UserKeys {
    keys.devices.retain(|device_id, _| wanted.is_empty() || wanted.contains(device_id));
    keys
}
