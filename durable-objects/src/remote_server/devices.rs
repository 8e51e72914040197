//! Keys of the server's users.

use std::collections::BTreeMap;

use ruma::{OwnedDeviceId, OwnedUserId, api::federation::keys::get_keys::v1 as get_keys};

use super::RemoteServerEngine;
use crate::{
    federation::{self, Bounds},
    matrix_error::MatrixError,
    rpc::{remote_server::QueryRemoteKeys, user::UserKeys},
};

impl RemoteServerEngine {
    pub(super) async fn query_remote_keys(
        &self,
        command: QueryRemoteKeys,
    ) -> Result<BTreeMap<OwnedUserId, UserKeys>, MatrixError> {
        self.ask_for_device_keys(command.users, command.timeout_ms).await
    }

    /// Asks the server. It speaks for its own users, and only of what was asked.
    async fn ask_for_device_keys(
        &self,
        users: BTreeMap<OwnedUserId, Vec<OwnedDeviceId>>,
        timeout_ms: u32,
    ) -> Result<BTreeMap<OwnedUserId, UserKeys>, MatrixError> {
        let server = self.server_name()?;
        let bounds = Bounds { timeout_ms, ..Bounds::default() };
        let request = get_keys::Request::new(users.clone());
        let mut answer = federation::send(self.runtime.platform.as_ref(), &server, request, bounds).await?;
        let keys = users.into_iter().filter(|(user_id, _)| user_id.server_name() == server);
        let keys = keys.map(|(user_id, devices)| {
            let mut keys = UserKeys {
                devices: answer.device_keys.remove(&user_id).unwrap_or_default(),
                master_key: answer.master_keys.remove(&user_id),
                self_signing_key: answer.self_signing_keys.remove(&user_id),
                ..UserKeys::default()
            };
            keys.devices.retain(|device_id, _| devices.is_empty() || devices.contains(device_id));
            (user_id, keys)
        });
        Ok(keys.collect())
    }
}
