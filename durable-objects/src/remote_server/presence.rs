//! How the server's users appear, for the users here who share a room with them `[S-S §7]`.

use std::collections::{BTreeMap, BTreeSet};

use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::RemoteServerEngine;
use crate::{
    concurrent::each,
    log,
    matrix_error::MatrixError,
    rpc::{
        self,
        room::GetAudience,
        user::{NotePresence, Presence},
    },
};

/// How many users one EDU may tell of; the others are left out.
const MAX_UPDATES: usize = 100;
/// How many of the rooms that are shared with the server are asked who is in them.
const MAX_ROOMS: u32 = 100;
/// How many actors are called at the same time.
const CONCURRENCY: usize = 16;
/// The longest status message, in bytes: a longer one is left out.
const MAX_STATUS: usize = 1024;

impl RemoteServerEngine {
    /// Tells those users here who share a room with the users of a presence EDU.
    pub(super) async fn hand_on_presence(&self, content: &RawValue) -> Result<(), MatrixError> {
        let updates = self.updates(content)?;
        let ask = GetAudience { of: updates.keys().cloned().collect() };
        if updates.is_empty() {
            return Ok(());
        }
        let platform = self.runtime.platform.as_ref();
        let rooms = self.shared_rooms(MAX_ROOMS)?;
        let audiences = each(CONCURRENCY, rooms, |room_id| rpc::call(platform, &room_id, &ask)).await;
        let mut told: BTreeMap<OwnedUserId, BTreeSet<OwnedUserId>> = BTreeMap::new();
        for audience in audiences.into_iter().flatten() {
            for user_id in audience.users {
                told.entry(user_id).or_default().extend(audience.of.iter().cloned());
            }
        }
        let updates = &updates;
        let notes = each(CONCURRENCY, told, |(user_id, of)| async move {
            let note =
                NotePresence { updates: of.iter().filter_map(|of| updates.get(of).cloned()).collect() };
            if let Err(error) = rpc::call(platform, user_id.localpart(), &note).await {
                log::warn("presence", &error.to_string());
            }
        });
        notes.await;
        Ok(())
    }

    /// What the EDU says of the server's own users.
    fn updates(&self, content: &RawValue) -> Result<BTreeMap<OwnedUserId, Presence>, MatrixError> {
        #[derive(Deserialize)]
        struct PresenceContent {
            push: Vec<Box<RawValue>>,
        }
        let content: PresenceContent = serde_json::from_str(content.get())
            .map_err(|error| MatrixError::bad_json(format!("presence: {error}")))?;
        let server = self.server_name()?;
        let updates = content.push.iter().take(MAX_UPDATES);
        let updates = updates.filter_map(|update| serde_json::from_str::<Presence>(update.get()).ok());
        let own = updates.filter(|update| update.user_id.server_name() == server);
        Ok(own
            .map(|mut update| {
                update.status_msg = update.status_msg.filter(|status| status.len() <= MAX_STATUS);
                (update.user_id.clone(), update)
            })
            .collect())
    }
}
