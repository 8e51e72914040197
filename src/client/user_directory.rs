//! Finding users `[C-S §11.32]`.
//!
//! The directory finds this server's users by name, whoever may know of them; who does, is judged by their rooms. Users
//! of other servers are found by the rooms that they are in.

use std::collections::BTreeSet;

use ruma::{
    OwnedRoomId, OwnedUserId, UserId,
    api::client::user_directory::search_users::v3::{self as search_users, User},
};
use selvedge_durable_objects::{
    concurrent::{ALL, each, try_each},
    matrix_error::MatrixError,
    rpc::{
        directory::{ListOpenRooms, SearchUsers, UserEntry},
        room::SearchMembers,
        user::JoinedRooms,
    },
};

use crate::{context::Ctx, extract::ClientAuth};

/// How many results there are at most.
const MAX_LIMIT: usize = 100;
/// The longest term, in bytes.
const MAX_TERM: usize = 256;
/// How many of this server's users are looked at for those that the user may know of.
const MAX_CANDIDATES: u32 = 300;
/// How many users or rooms are asked at a time.
const CONCURRENCY: usize = 16;
/// How many open rooms, and how many rooms in all, are searched for users of other servers.
const MAX_OPEN_ROOMS: u32 = 50;
const MAX_ROOMS: usize = 150;

/// `POST /_matrix/client/v3/user_directory/search`
pub async fn search_users(
    ctx: Ctx,
    auth: ClientAuth,
    request: search_users::Request,
) -> Result<search_users::Response, MatrixError> {
    if request.search_term.len() > MAX_TERM {
        return Err(MatrixError::invalid_param("The search term is too long"));
    }
    let limit = usize::try_from(u64::from(request.limit)).unwrap_or(usize::MAX).min(MAX_LIMIT);
    let rooms = ctx.call(auth.localpart(), &JoinedRooms {}).await?;
    let search = Search {
        ctx: &ctx,
        user_id: &auth.user_id,
        term: request.search_term,
        rooms: rooms.into_iter().collect(),
        // One more, to see whether there are others.
        wanted: limit.saturating_add(1),
    };
    let mut found = search.local_users().await?;
    if found.len() < search.wanted {
        found.extend(search.remote_users().await?);
    }
    let is_limited = found.len() > limit;
    found.truncate(limit);
    Ok(search_users::Response::new(found.into_iter().map(user).collect(), is_limited))
}

fn user(entry: UserEntry) -> User {
    let mut user = User::new(entry.user_id);
    user.display_name = entry.display_name;
    user.avatar_url = entry.avatar_url;
    user
}

struct Search<'c> {
    ctx: &'c Ctx,
    user_id: &'c UserId,
    term: String,
    /// Where the user is joined.
    rooms: BTreeSet<OwnedRoomId>,
    wanted: usize,
}

impl Search<'_> {
    /// This server's users who match and who share a room with the user, or are in a room that is open to everyone.
    async fn local_users(&self) -> Result<Vec<UserEntry>, MatrixError> {
        let command = SearchUsers { term: self.term.clone(), limit: MAX_CANDIDATES };
        let mut candidates = self.ctx.call(&(), &command).await?;
        candidates.retain(|candidate| candidate.user_id != self.user_id);
        let mut found = Vec::new();
        for batch in candidates.chunks(CONCURRENCY) {
            let rooms = each(ALL, batch, |candidate| self.rooms_of(&candidate.user_id)).await;
            let open = self.open_rooms(&rooms).await?;
            let is_known = |rooms: &Vec<OwnedRoomId>| {
                rooms.iter().any(|room| self.rooms.contains(room) || open.contains(room))
            };
            found.extend(
                batch.iter().zip(&rooms).filter(|(_, rooms)| is_known(rooms)).map(|(of, _)| of.clone()),
            );
            if found.len() >= self.wanted {
                break;
            }
        }
        Ok(found)
    }

    async fn rooms_of(&self, user_id: &UserId) -> Vec<OwnedRoomId> {
        self.ctx.call(user_id.localpart(), &JoinedRooms {}).await.unwrap_or_default()
    }

    /// Which rooms of those who share none with the user are open to everyone.
    async fn open_rooms(&self, rooms: &[Vec<OwnedRoomId>]) -> Result<BTreeSet<OwnedRoomId>, MatrixError> {
        let shares_none = |rooms: &&Vec<OwnedRoomId>| !rooms.iter().any(|room| self.rooms.contains(room));
        let among: BTreeSet<&OwnedRoomId> = rooms.iter().filter(shares_none).flatten().collect();
        if among.is_empty() {
            return Ok(BTreeSet::new());
        }
        let among: Vec<OwnedRoomId> = among.into_iter().cloned().collect();
        let command = ListOpenRooms { among: Some(among), limit: u32::MAX };
        Ok(self.ctx.call(&(), &command).await?.into_iter().collect())
    }

    /// Users of other servers who match and are in the user's rooms, or in rooms that are open to everyone.
    async fn remote_users(&self) -> Result<Vec<UserEntry>, MatrixError> {
        let open = self.ctx.call(&(), &ListOpenRooms { among: None, limit: MAX_OPEN_ROOMS }).await?;
        let open = open.into_iter().filter(|room| !self.rooms.contains(room));
        let rooms: Vec<OwnedRoomId> = self.rooms.iter().cloned().chain(open).take(MAX_ROOMS).collect();
        let command = SearchMembers {
            user_id: self.user_id.to_owned(),
            term: self.term.clone(),
            limit: u32::try_from(self.wanted).unwrap_or(u32::MAX),
        };
        let members = try_each(CONCURRENCY, rooms, |room_id| self.ctx.call(&room_id, &command)).await?;
        let mut seen: BTreeSet<OwnedUserId> = BTreeSet::new();
        let mut found: Vec<UserEntry> = members.into_iter().flatten().collect();
        found.retain(|member| seen.insert(member.user_id.clone()));
        Ok(found)
    }
}
