//! Telling others how the user appears.

use std::{collections::BTreeSet, rc::Rc};

use futures_util::FutureExt;
use ruma::{
    OwnedRoomId, OwnedServerName, OwnedUserId, events::room::member::MembershipState, presence::PresenceState,
};
use serde_json::{json, value::to_raw_value};

use super::LOOK_MS;
use crate::{
    concurrent::each,
    database::DatabaseError,
    log,
    matrix_error::MatrixError,
    rpc::{
        self,
        remote_server::{Keep, OutboundEdu, SendEdus},
        room::GetAudience,
        user::{GreetUser, NotePresence},
    },
    user::UserEngine,
};

/// In how many rooms others are told.
const MAX_ROOMS: usize = 100;
/// How many actors are called at the same time.
const CONCURRENCY: usize = 16;

impl UserEngine {
    /// The rooms that the user is joined to.
    pub(super) fn joined_room_ids(&self) -> Result<BTreeSet<OwnedRoomId>, DatabaseError> {
        let rows = self.memberships().of_kinds(&[MembershipState::Join])?;
        Ok(rows.into_iter().map(|row| row.room_id).collect())
    }

    /// Tells others, after the answer, if the command at hand changed how the user appears.
    pub(in crate::user) fn share_presence(self: &Rc<Self>) {
        let joined = self.presence.joined.take();
        if !joined.is_empty() {
            let engine = Rc::clone(self);
            let task = async move {
                if let Err(error) = engine.greet(joined).await {
                    log::warn("presence", &error.to_string());
                }
            };
            self.runtime.platform.spawn(task.boxed_local());
        }
        if self.presence.is_changed.take() {
            let engine = Rc::clone(self);
            let task = async move {
                if let Err(error) = engine.tell_presence().await {
                    log::warn("presence", &error.to_string());
                }
            };
            self.runtime.platform.spawn(task.boxed_local());
        }
    }

    /// Greets the members of this server in rooms that the user has joined: each learns how the other appears.
    async fn greet(&self, rooms: BTreeSet<OwnedRoomId>) -> Result<(), MatrixError> {
        let command = GreetUser { presence: self.appearance()? };
        let own = &command.presence.user_id;
        let platform = self.runtime.platform.as_ref();
        let ask = GetAudience { of: vec![own.clone()] };
        let mut users: BTreeSet<OwnedUserId> = BTreeSet::new();
        for room_id in rooms {
            users.extend(rpc::call(platform, &room_id, &ask).await?.users);
        }
        users.remove(own);
        let greeted = each(CONCURRENCY, users, |user_id| rpc::call(platform, user_id.localpart(), &command));
        let updates: Vec<_> = greeted.await.into_iter().filter_map(Result::ok).flatten().collect();
        if updates.is_empty() { Ok(()) } else { self.note_presence(NotePresence { updates }) }
    }

    async fn tell_presence(&self) -> Result<(), MatrixError> {
        let presence = self.appearance()?;
        let platform = self.runtime.platform.as_ref();
        if presence.presence != PresenceState::Offline {
            platform.set_alarm(platform.now().saturating_add(LOOK_MS)).await;
        }
        let ask = GetAudience { of: vec![presence.user_id.clone()] };
        let rooms = self.joined_room_ids()?.into_iter().take(MAX_ROOMS);
        let audiences = each(CONCURRENCY, rooms, |room_id| rpc::call(platform, &room_id, &ask)).await;
        let mut users: BTreeSet<OwnedUserId> = BTreeSet::new();
        let mut servers: BTreeSet<OwnedServerName> = BTreeSet::new();
        for audience in audiences.into_iter().flatten() {
            users.extend(audience.users);
            servers.extend(audience.servers);
        }
        // The user's own clients know what their syncs do; what one of them says, the others hear.
        if self.is_presence_chosen()? {
            users.insert(presence.user_id.clone());
        } else {
            users.remove(&presence.user_id);
        }
        let content = to_raw_value(&json!({"push": [&presence]}))?;
        let edu = OutboundEdu { edu_type: "m.presence".to_owned(), content, keep: Keep::Volatile };
        let (note, send) = (NotePresence { updates: vec![presence] }, SendEdus { edus: vec![edu] });
        let told = each(CONCURRENCY, users, |user_id| rpc::call(platform, user_id.localpart(), &note));
        told.await.into_iter().for_each(heard);
        let sent = each(CONCURRENCY, servers, |server| rpc::call(platform, &server, &send));
        sent.await.into_iter().for_each(heard);
        Ok(())
    }

    /// An alarm rang: looks whether the user is still there, and when to look again.
    pub(in crate::user) async fn look_after_presence(self: &Rc<Self>) -> Result<(), MatrixError> {
        let state = self.look_for_user()?;
        let platform = self.runtime.platform.as_ref();
        if state != PresenceState::Offline && !self.presence.is_changed.get() {
            platform.set_alarm(platform.now().saturating_add(LOOK_MS)).await;
        }
        self.share_presence();
        Ok(())
    }
}

/// Whoever does not hear of it will hear of the next change.
fn heard(outcome: Result<(), MatrixError>) {
    if let Err(error) = outcome {
        log::warn("presence", &error.to_string());
    }
}
