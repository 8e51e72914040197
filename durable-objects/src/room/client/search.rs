//! Searching the room's messages by its full-text index `[C-S §11.13]`.

mod render;

use std::rc::Rc;

use crate::{
    database::DatabaseError,
    full_text::Term,
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        state::State,
        store::{Found, StoredEvent},
        view::View,
    },
    rpc::room::{Hit, LogPosition, RoomHits, SearchKey, SearchQuery, SearchRoom, TimelineFilter},
};

/// How many matches are read from the index at a time.
const BATCH: u32 = 100;
/// How many matches are looked at for those that the user may see and wants.
const MAX_SCANNED: usize = 500;
/// How many are counted. (Clients show the number as an estimate.)
const MAX_COUNTED: u32 = 100;
/// Among how many of the latest matches the best are found: to weigh a match costs as much as to show it.
const MAX_RANKED: u32 = 200;

impl RoomEngine {
    pub(in crate::room) fn search_room(&self, command: SearchRoom) -> Result<RoomHits, MatrixError> {
        if self.store.find_meta()?.is_none() {
            return Ok(RoomHits::default());
        }
        let nothing = RoomHits { predecessor: self.predecessor()?, ..RoomHits::default() };
        let is_encrypted = State::current(&self.store)?.event("m.room.encryption", "")?.is_some();
        let Some(query) = full_text_query(&command.query).filter(|_| !is_encrypted) else {
            return Ok(nothing);
        };
        self.catalogue_all()?;
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        let (hits, end) = self.hits(&view, &command, &query)?;
        let count = match (&command.from, end) {
            (None, None) => u64::try_from(hits.len()).unwrap_or(u64::MAX),
            _ => self.count_hits(&view, &command.filter, &query)?,
        };
        Ok(RoomHits { hits, end, count, ..nothing })
    }

    /// The next hits, and where to go on after them.
    fn hits(
        &self,
        view: &View<'_>,
        command: &SearchRoom,
        query: &str,
    ) -> Result<(Vec<Hit>, Option<u64>), DatabaseError> {
        let mut hits = Vec::new();
        let mut from = command.from;
        let mut scanned = 0_usize;
        while scanned < MAX_SCANNED {
            let wanted = command.limit.saturating_sub(u32::try_from(hits.len()).unwrap_or(u32::MAX));
            let size = wanted.clamp(10, BATCH);
            let batch = self.matches(view, query, command.by_rank, from, size)?;
            scanned = scanned.saturating_add(batch.len());
            let is_last = batch.len() < size as usize;
            for found in batch {
                if hits.len() >= command.limit as usize {
                    return Ok((hits, from));
                }
                let next = if command.by_rank {
                    from.unwrap_or(0).saturating_add(1)
                } else {
                    found.position.0.saturating_sub(1)
                };
                from = Some(next);
                if let Some(event) = self.shown_match(view, &command.filter, &found)? {
                    hits.push(hit(&event, &found, next));
                }
            }
            if is_last {
                return Ok((hits, None));
            }
        }
        Ok((hits, from))
    }

    fn matches(
        &self,
        view: &View<'_>,
        query: &str,
        by_rank: bool,
        from: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Found>, DatabaseError> {
        if by_rank {
            let skipped = from.unwrap_or(0);
            return self.store.find_words_by_rank(query, latest(view), MAX_RANKED, skipped, limit);
        }
        self.store.find_words(query, from.map_or(LogPosition::MAX, LogPosition), limit)
    }

    /// The event of a match, if the user may see it and wants it.
    fn shown_match(
        &self,
        view: &View<'_>,
        filter: &TimelineFilter,
        found: &Found,
    ) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let Some((event, _)) = self.store.event_at(found.position)? else { return Ok(None) };
        let is_shown = self.is_wanted(filter, &event)? && view.shows(&event)?;
        Ok(is_shown.then_some(event))
    }

    /// About how many matches the user may see. Never more than there are: the number must not tell of others.
    fn count_hits(
        &self,
        view: &View<'_>,
        filter: &TimelineFilter,
        query: &str,
    ) -> Result<u64, DatabaseError> {
        if filter.lets_all_through() && view.shows_all()? {
            return self.store.count_words(query, MAX_COUNTED);
        }
        let mut count = 0_u64;
        for found in self.store.find_words(query, latest(view), MAX_COUNTED)? {
            if self.shown_match(view, filter, &found)?.is_some() {
                count = count.saturating_add(1);
            }
        }
        Ok(count)
    }
}

/// Up to where there is what the user may see: of a room that they left, by and large until then.
fn latest(view: &View<'_>) -> LogPosition {
    view.joined_until().min(LogPosition::MAX)
}

fn full_text_query(query: &SearchQuery) -> Option<String> {
    let columns = query.keys.iter().map(|key| match key {
        SearchKey::Body => "body",
        SearchKey::Name => "name",
        SearchKey::Topic => "topic",
    });
    Term::of_text(&query.term).query_in(&columns.collect::<Vec<_>>())
}

fn hit(event: &StoredEvent, found: &Found, next: u64) -> Hit {
    Hit {
        event_id: event.pdu.event_id().to_owned(),
        sender: event.pdu.sender().to_owned(),
        ts: event.pdu.origin_server_ts().get().into(),
        rank: found.rank,
        next,
    }
}
