//! Keys of the server's users: asked for, and remembered for as long as they are known to be right.
//!
//! While a user of the server shares a room with one of ours, the server tells when the user's devices change `[S-S §10]`.
//! So what was asked for stays right until it is told of a change, or the user and ours part in a room by which this was
//! known. Then it is forgotten, and asked for anew when it is wanted.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use ruma::{OwnedDeviceId, OwnedRoomId, OwnedUserId, api::federation::keys::get_keys::v1 as get_keys};

use super::{RemoteServerEngine, find_event::MAX_ROOMS};
use crate::{
    database::{DatabaseError, DatabaseExt},
    federation::{self, Bounds},
    matrix_error::MatrixError,
    params,
    rpc::{
        self,
        remote_server::{ForgetDevices, QueryRemoteKeys, RemoteKeys, RoomShared},
        room::{MemberDevicesChanged, WhoIsJoined},
        user::UserKeys,
    },
};

const CACHED: &str = "SELECT keys FROM device_cache WHERE user_id = ?";
const SET: &str = "INSERT INTO device_cache (user_id, room_id, keys) VALUES (?, ?, ?)
    ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id, keys = excluded.keys";
const FORGET: &str = "DELETE FROM device_cache WHERE user_id = ?";
const FORGET_ROOM: &str = "DELETE FROM device_cache WHERE room_id = ?";

/// How many rooms are asked at the same time.
const CONCURRENCY: usize = 16;

type Wanted = BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>;

impl RemoteServerEngine {
    pub(super) async fn query_remote_keys(
        &self,
        command: QueryRemoteKeys,
    ) -> Result<RemoteKeys, MatrixError> {
        let server = self.server_name()?;
        let (mut users, mut missing) = (BTreeMap::new(), Wanted::new());
        for (user_id, devices) in command.users {
            if user_id.server_name() != server {
                continue;
            }
            match self.cached_keys(&user_id)? {
                Some(keys) => {
                    users.insert(user_id, only(keys, &devices));
                }
                None => {
                    missing.insert(user_id, devices);
                }
            }
        }
        let mut failure = None;
        if !missing.is_empty() {
            match self.fetch_device_keys(missing, command.timeout_ms).await {
                Ok(fetched) => users.extend(fetched),
                Err(error) => failure = Some(error),
            }
        }
        Ok(RemoteKeys { users, failure })
    }

    fn cached_keys(&self, user_id: &OwnedUserId) -> Result<Option<UserKeys>, MatrixError> {
        let db = self.runtime.db.as_ref();
        let keys = db.query_first(CACHED, params![user_id.as_str()], |row| row.get::<String>(0))?;
        Ok(keys.map(|keys| serde_json::from_str(&keys)).transpose()?)
    }

    /// Asks the server, and remembers what it says of users who share a room with ours.
    async fn fetch_device_keys(
        &self,
        wanted: Wanted,
        timeout_ms: u32,
    ) -> Result<BTreeMap<OwnedUserId, UserKeys>, MatrixError> {
        let news = self.device_news.get();
        let shared = self.rooms_shared_with(wanted.keys().cloned().collect()).await?;
        let asked = wanted.iter().map(|(user_id, devices)| {
            let all = shared.contains_key(user_id);
            (user_id.clone(), if all { Vec::new() } else { devices.clone() })
        });
        let fetched = self.ask_for_device_keys(asked.collect(), timeout_ms).await?;
        // Of what changed meanwhile it is not known whether the answer has it.
        if self.device_news.get() == news {
            for (user_id, room_id) in &shared {
                if let Some(keys) = fetched.get(user_id) {
                    let keys = serde_json::to_string(keys)?;
                    let row = params![user_id.as_str(), room_id.as_str(), &keys];
                    self.runtime.db.execute(SET, row)?;
                }
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
            let calls = rooms.iter().map(|room_id| rpc::call(platform, room_id, &command));
            let answers = futures_util::future::join_all(calls).await;
            for (room_id, joined) in rooms.iter().zip(answers) {
                shared.extend(joined?.into_iter().map(|user_id| (user_id, room_id.clone())));
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
        timeout_ms: u32,
    ) -> Result<BTreeMap<OwnedUserId, UserKeys>, MatrixError> {
        let bounds = Bounds { timeout_ms, ..Bounds::default() };
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
        self.forget_users(users.iter())?;
        let command = MemberDevicesChanged { users: users.into_iter().collect() };
        let platform = self.runtime.platform.as_ref();
        let calls = stream::iter(self.shared_rooms(MAX_ROOMS)?).map(|room_id| {
            let command = &command;
            async move { rpc::call(platform, &room_id, command).await }
        });
        let outcomes: Vec<_> = calls.buffer_unordered(CONCURRENCY).collect().await;
        let failed = outcomes.into_iter().filter_map(Result::err).find(|error| error.status >= 500);
        failed.map_or(Ok(()), Err)
    }

    fn forget_users<'u>(&self, users: impl Iterator<Item = &'u OwnedUserId>) -> Result<(), DatabaseError> {
        self.device_news.set(self.device_news.get().wrapping_add(1));
        for user_id in users {
            self.runtime.db.execute(FORGET, params![user_id.as_str()])?;
        }
        Ok(())
    }

    pub(super) fn forget_devices(&self, command: ForgetDevices) -> Result<(), MatrixError> {
        self.forget_users(command.users.iter())?;
        if let Some(room_id) = &command.room_id {
            self.runtime.db.execute(FORGET_ROOM, params![room_id.as_str()])?;
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
