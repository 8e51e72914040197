//! Asking the rooms, and putting what they find in order.

use std::collections::BTreeSet;

use ruma::OwnedRoomId;
use selvedge_durable_objects::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::room::{Hit, Reader, RoomHits, SearchQuery, SearchRoom, TimelineFilter},
};

use super::token::{Scope, Token};
use crate::{
    client::merge::{List, Merged, merge},
    context::Ctx,
};

/// How many rooms are searched: those that changed last.
const MAX_ROOMS: usize = 500;
/// How many rooms are asked at a time.
pub const CONCURRENCY: usize = 16;
/// How many times a room's predecessor is searched too.
const MAX_UPGRADES: usize = 10;

/// What the rooms answered that did not fail, noting the last error.
pub fn answered<T>(failed: &mut Option<MatrixError>, answers: Vec<Result<T, MatrixError>>) -> Vec<T> {
    let mut answered = Vec::new();
    for answer in answers {
        match answer {
            Ok(answer) => answered.push(answer),
            Err(error) => {
                selvedge_durable_objects::log::warn("search", &error.to_string());
                *failed = Some(error);
            }
        }
    }
    answered
}

/// A search of one user.
pub struct Search<'c> {
    /// The request's context.
    pub ctx: &'c Ctx,
    /// Who searches.
    pub reader: Reader,
    /// What for.
    pub query: SearchQuery,
    /// Which events.
    pub filter: TimelineFilter,
    /// How many results at most.
    pub limit: u32,
    /// Whether those that fit best come first, not the latest.
    pub by_rank: bool,
    /// Where to go on.
    pub token: Token,
    /// The rooms that the user may read, those first that changed last.
    pub readable: Vec<OwnedRoomId>,
}

/// A result.
pub type Found = Merged<Hit>;

/// A page of results.
pub struct Page {
    /// In their order.
    pub found: Vec<Found>,
    /// About how many there are in all.
    pub count: u64,
    /// Where the next page begins.
    pub end: Token,
    /// Whether there may be one.
    pub has_more: bool,
}

impl Search<'_> {
    /// The next page.
    pub async fn page(&self) -> Result<Page, MatrixError> {
        let mut filter = self.filter.clone();
        if let Scope::Sender(sender) = &self.token.scope {
            let is_wanted = filter.event.senders.as_ref().is_none_or(|senders| senders.contains(sender));
            filter.event.senders = Some(if is_wanted { vec![sender.clone()] } else { Vec::new() });
        }
        let rooms = self.ask_all(&filter).await?;
        Ok(self.merge(rooms))
    }

    /// The rooms to search, as far as the filter tells.
    fn rooms(&self) -> Vec<OwnedRoomId> {
        let filter = &self.filter.event;
        let is_wanted = |room: &OwnedRoomId| {
            filter.rooms.as_ref().is_none_or(|rooms| rooms.contains(room)) && !filter.not_rooms.contains(room)
        };
        let rooms = self.readable.iter().filter(|room| match &self.token.scope {
            // A predecessor is not in the filter, and in the group.
            Scope::Room(only) => *room == only,
            _ => is_wanted(room),
        });
        rooms.take(MAX_ROOMS).cloned().collect()
    }

    /// What each room finds. Where the client names rooms, those that they replace belong to them.
    async fn ask_all(&self, filter: &TimelineFilter) -> Result<Vec<(OwnedRoomId, RoomHits)>, MatrixError> {
        let mut filter = filter.clone();
        // Which rooms to ask is decided here.
        let names_rooms = filter.event.rooms.take().is_some() && !matches!(self.token.scope, Scope::Room(_));
        let mut answers: Vec<(OwnedRoomId, RoomHits)> = Vec::new();
        let mut failed = None;
        let mut wave = self.rooms();
        let mut asked: BTreeSet<OwnedRoomId> = wave.iter().cloned().collect();
        for _ in 0..=MAX_UPGRADES {
            let came = each(CONCURRENCY, wave, |room_id| self.ask(room_id, &filter)).await;
            let answered = answered(&mut failed, came);
            let earlier = answered.iter().filter_map(|(_, hits)| hits.predecessor.clone());
            let is_new = |room_id: &OwnedRoomId| {
                names_rooms
                    && self.readable.contains(room_id)
                    && !filter.event.not_rooms.contains(room_id)
                    && asked.insert(room_id.clone())
            };
            wave = earlier.filter(is_new).collect();
            answers.extend(answered);
            if wave.is_empty() {
                break;
            }
        }
        // One room that fails must not hide what the others have; when all fail, there is nothing to show.
        match failed {
            Some(error) if answers.is_empty() => Err(error),
            _ => Ok(answers),
        }
    }

    async fn ask(
        &self,
        room_id: OwnedRoomId,
        filter: &TimelineFilter,
    ) -> Result<(OwnedRoomId, RoomHits), MatrixError> {
        let command = SearchRoom {
            reader: self.reader.clone(),
            query: self.query.clone(),
            filter: filter.clone(),
            by_rank: self.by_rank,
            from: self.token.cursors.reached(&room_id),
            limit: self.limit,
        };
        let hits = self.ctx.call(&room_id, &command).await?;
        Ok((room_id, hits))
    }

    /// Puts together what the rooms found.
    fn merge(&self, rooms: Vec<(OwnedRoomId, RoomHits)>) -> Page {
        let mut end = self.token.clone();
        let count = rooms.iter().map(|(_, hits)| hits.count).fold(0, u64::saturating_add);
        let lists =
            rooms.into_iter().map(|(room_id, hits)| List { room_id, items: hits.hits.into(), end: hits.end });
        let compare = |left: &Hit, right: &Hit| {
            if self.by_rank { left.rank.total_cmp(&right.rank) } else { left.ts.cmp(&right.ts) }
        };
        let limit = self.limit as usize;
        let (found, has_more) = merge(lists.collect(), limit, &mut end.cursors, compare, |hit| hit.next);
        Page { found, count, end, has_more }
    }
}
