//! The published room directory. It follows the published rooms: a room tells once that it has changed, and is asked
//! when somebody looks.

pub(super) mod store;

use ruma::{OwnedRoomId, directory::PublicRoomsChunk};

use super::DirectoryEngine;
use crate::{
    concurrent::{ALL, each},
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    rpc::{
        self, AsJson,
        directory::{
            IsRoomPublished, ListPublishedRooms, MarkRoomChanged, PublishRoom, PublishedRooms, UnpublishRoom,
        },
        room::PullRoomSummary,
    },
};

/// How many changed rooms are asked for one page.
const MAX_REFRESHED: u32 = 100;
/// The most rooms on a page.
const MAX_PAGE: u32 = 500;

impl DirectoryEngine {
    pub(super) fn publish_room(&self, command: PublishRoom) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        Ok(db.transaction(|| -> Result<(), DatabaseError> {
            store::insert(db, &command.room_id)?;
            store::add_publication(db, &command.network, &command.room_id)
        })?)
    }

    pub(super) fn unpublish_room(&self, command: UnpublishRoom) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        Ok(db.transaction(|| store::remove_publication(db, &command.network, &command.room_id))?)
    }

    pub(super) fn is_room_published(&self, command: IsRoomPublished) -> Result<bool, MatrixError> {
        Ok(store::is_published(self.runtime.db.as_ref(), "", &command.room_id)?)
    }

    pub(super) fn mark_room_changed(&self, command: MarkRoomChanged) -> Result<bool, MatrixError> {
        Ok(store::mark_changed(self.runtime.db.as_ref(), &command.room_id)?)
    }

    pub(super) async fn list_published_rooms(
        &self,
        command: ListPublishedRooms,
    ) -> Result<PublishedRooms, MatrixError> {
        let since = command.since.as_deref().map(Position::parse).transpose()?;
        self.refresh_changed().await?;
        let limit = command.limit.clamp(1, MAX_PAGE);
        let query = store::PageQuery {
            filter: &command.filter,
            room_network: &command.room_network,
            since: since.as_ref(),
            // One more, to see whether there is another page.
            limit: limit.saturating_add(1),
        };
        let db = self.runtime.db.as_ref();
        let mut chunk = store::page(db, &query)?;
        let more = chunk.len() > limit as usize;
        chunk.truncate(limit as usize);
        let backwards = since.as_ref().is_some_and(|since| since.backwards);
        if backwards {
            chunk.reverse();
        }
        let (has_next, has_prev) = if backwards { (true, more) } else { (more, since.is_some()) };
        let batch = |room: Option<&PublicRoomsChunk>, backwards| {
            room.map(|room| Position::of(room, backwards).to_string())
        };
        Ok(PublishedRooms {
            next_batch: has_next.then(|| batch(chunk.last(), false)).flatten(),
            prev_batch: has_prev.then(|| batch(chunk.first(), true)).flatten(),
            total: store::count(db, &command.room_network)?,
            chunk,
        })
    }

    /// Brings the entries up to date of rooms that have told of a change.
    async fn refresh_changed(&self) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        let changed: Vec<OwnedRoomId> = store::changed(db, MAX_REFRESHED)?;
        // The mark goes first: a change that comes in between sets it again.
        store::clear_changed(db, &changed)?;
        let platform = self.runtime.platform.as_ref();
        let summaries =
            each(ALL, &changed, |room_id| rpc::call(platform, room_id, &PullRoomSummary {})).await;
        for (room_id, summary) in changed.iter().zip(summaries) {
            match summary {
                Ok(AsJson(Some(summary))) => store::update(db, &PublicRoomsChunk::from(summary))?,
                Ok(AsJson(None)) => store::remove(db, room_id)?,
                Err(_) => {
                    store::mark_changed(db, room_id)?;
                }
            }
        }
        Ok(())
    }
}

/// A place between two rooms of the directory, and the direction to read on from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    backwards: bool,
    joined_members: u64,
    room_id: OwnedRoomId,
}

impl Position {
    fn of(room: &PublicRoomsChunk, backwards: bool) -> Self {
        Self { backwards, joined_members: room.num_joined_members.into(), room_id: room.room_id.clone() }
    }

    fn parse(token: &str) -> Result<Self, MatrixError> {
        let parse = || {
            let (direction, rest) = token.split_once('.')?;
            let (joined_members, room_id) = rest.split_once('.')?;
            let backwards = match direction {
                "n" => false,
                "p" => true,
                _ => return None,
            };
            let room_id = OwnedRoomId::try_from(room_id).ok()?;
            Some(Self { backwards, joined_members: joined_members.parse().ok()?, room_id })
        };
        parse().ok_or_else(|| MatrixError::invalid_param("`since` is not a token of this endpoint"))
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let direction = if self.backwards { 'p' } else { 'n' };
        write!(f, "{direction}.{}.{}", self.joined_members, self.room_id)
    }
}

#[cfg(test)]
mod tests;
