//! The room's part in the user directory: whether it makes its members known to everyone, and which users of other
//! servers are in it. (Of this server's own users the directory knows the names, which are not those of a room.)

use std::cell::Cell;

use ruma::{
    OwnedMxcUri, OwnedUserId,
    events::room::{history_visibility::HistoryVisibility, join_rules::JoinRule, member::MembershipState},
};
use selvedge_protocol::{
    auth::AuthState,
    state_tree::{self, StateRoot},
    visibility,
};

use super::{RoomEngine, state::State};
use crate::{
    database::DatabaseError,
    full_text::Term,
    matrix_error::MatrixError,
    rpc::{
        self,
        directory::{SetRoomOpen, UserEntry},
        room::SearchMembers,
    },
};

/// The members of larger rooms are not searched.
const MAX_JOINED: u64 = 20_000;

/// What is known in memory: the last state that was looked at, and what the directory was told.
#[derive(Default)]
pub(super) struct Openness(Cell<Option<(StateRoot, bool)>>);

impl RoomEngine {
    /// Whether everyone may join the room, or read it.
    fn is_open(&self) -> Result<bool, DatabaseError> {
        let state = State::current(&self.store)?;
        let rule = state.get("m.room.join_rules", "")?;
        let rule = rule.and_then(|event| event.content_as::<JoinRule>().ok());
        if matches!(rule, Some(JoinRule::Public)) {
            return Ok(true);
        }
        let history = state.get("m.room.history_visibility", "")?;
        Ok(visibility::history_visibility(history.as_deref()) == HistoryVisibility::WorldReadable)
    }

    /// Tells the directory when the room has opened, or closed.
    pub(super) async fn tell_openness(&self) -> Result<bool, DatabaseError> {
        let meta = self.store.meta()?;
        let told = match self.openness.0.get() {
            Some((seen, _)) if seen == meta.root => return Ok(true),
            Some((_, told)) => told,
            None => self.store.told_openness()?,
        };
        let is_open = self.is_open()?;
        if is_open != told {
            let command = SetRoomOpen { room_id: meta.room_id.clone(), is_open };
            if rpc::call(self.runtime.platform.as_ref(), &(), &command).await.is_err() {
                return Ok(false);
            }
            self.store.write(|writer| writer.set_told_openness(is_open))?;
        }
        self.openness.0.set(Some((meta.root, is_open)));
        Ok(true)
    }

    pub(super) fn search_members(&self, command: SearchMembers) -> Result<Vec<UserEntry>, MatrixError> {
        let Some(meta) = self.store.find_meta()? else { return Ok(Vec::new()) };
        let state = State::current(&self.store)?;
        let may_know = state.membership(&command.user_id)? == MembershipState::Join || self.is_open()?;
        let Some(query) = Term::of_name(&command.term).query().filter(|_| may_know) else {
            return Ok(Vec::new());
        };
        if meta.joined > MAX_JOINED || self.store.resident_servers("", 1)?.is_empty() {
            return Ok(Vec::new());
        }
        self.index_members()?;
        let mut found = Vec::new();
        for key in self.store.find_members(&query, command.limit)? {
            let Some(event) = state.nid(key)?.map(|nid| self.store.event(nid)).transpose()? else { continue };
            let user_id = event.pdu.state_key().and_then(|key| OwnedUserId::try_from(key).ok());
            found.extend(user_id.map(|user_id| UserEntry {
                user_id,
                display_name: event.pdu.content_str("displayname").map(std::borrow::Cow::into_owned),
                avatar_url: event.pdu.content_str("avatar_url").map(|url| OwnedMxcUri::from(url.as_ref())),
            }));
        }
        Ok(found)
    }

    /// Brings the index of members up to the current state, by what has changed in it.
    fn index_members(&self) -> Result<(), DatabaseError> {
        let (now, known) = (self.store.meta()?.root, self.store.indexed_members()?);
        if now == known {
            return Ok(());
        }
        let config = self.runtime.platform.config();
        let differences = state_tree::diff(&self.store, known, now)?;
        self.store.write(|writer| {
            for difference in differences {
                let (event_type, user) = writer.key_pair(difference.key)?;
                let Ok(user_id) = <&ruma::UserId>::try_from(user.as_str()) else { continue };
                if event_type != "m.room.member" || user_id.server_name() == config.server_name {
                    continue;
                }
                if difference.left.is_some() {
                    writer.remove_member_words(difference.key)?;
                }
                let Some(event) = difference.right.map(|nid| writer.event(nid)).transpose()? else {
                    continue;
                };
                if visibility::membership(Some(&event.pdu)) == MembershipState::Join {
                    let name = event.pdu.content_str("displayname");
                    writer.add_member_words(difference.key, &user, name.as_deref())?;
                }
            }
            writer.set_indexed_members(now)
        })
    }
}
