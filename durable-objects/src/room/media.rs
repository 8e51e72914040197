//! What the room shows of the content repository, for administrators.

use super::{RoomEngine, state::State};
use crate::{
    matrix_error::MatrixError,
    rpc::room::{GetAvatars, ListRoomMedia, RoomMediaPage},
};

/// How many events one page looks at.
const PAGE: u32 = 2_000;
/// How many members are read at a time.
const MEMBERS: u32 = 500;

impl RoomEngine {
    pub(super) fn list_room_media(&self, command: ListRoomMedia) -> Result<RoomMediaPage, MatrixError> {
        let rows = self.store.media_before(command.before, PAGE)?;
        let is_all = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        let next = rows.last().map(|row| row.position).filter(|_| !is_all);
        let urls = rows.into_iter().flat_map(|row| row.urls).flatten();
        Ok(RoomMediaPage { urls: urls.filter(|url| url.starts_with("mxc://")).collect(), next })
    }

    pub(super) fn get_avatars(&self, _: GetAvatars) -> Result<Vec<String>, MatrixError> {
        let state = State::current(&self.store)?;
        let mut avatars = Vec::new();
        let mut note = |event_type: &str, state_key: &str, field: &str| {
            let event = state.event(event_type, state_key)?;
            avatars.extend(event.and_then(|event| Some(event.pdu.content_str(field)?.into_owned())));
            Ok::<_, MatrixError>(())
        };
        note("m.room.avatar", "", "url")?;
        let mut after = String::new();
        loop {
            let members = self.store.joined_local(&after, MEMBERS)?;
            let Some(last) = members.last() else { return Ok(avatars) };
            after = last.to_string();
            for member in members {
                note("m.room.member", member.as_str(), "avatar_url")?;
            }
        }
    }
}
