//! Finding events by time `[C-S §11.16; S-S §9, timestamp_to_event]`.

use std::rc::Rc;

use ruma::{
    MilliSecondsSinceUnixEpoch, UserId,
    api::{Direction, federation::event::get_event_by_timestamp::v1 as get_event_by_timestamp},
};

use super::backfill::MAX_EVENTS;
use crate::{
    database::DatabaseError,
    federation::{self, Bounds},
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        graph::ServerView,
        store::{Gap, StoredEvent},
        view::View,
    },
    rpc::room::{DatedEvent, FindEventByTimestamp, LogPosition, Reader, ServeEventByTimestamp},
};

/// How many events are read at a time.
const BATCH: u32 = 20;
/// How often, for one that the user may see.
const MAX_BATCHES: u32 = 50;
/// How long another server may take to answer, in milliseconds.
const TIMEOUT_MS: u32 = 10_000;
/// How many pages of history are fetched to have an event here that another server found.
const MAX_PAGES: usize = 20;

impl RoomEngine {
    pub(in crate::room) async fn find_event_by_timestamp(
        self: &Rc<Self>,
        command: FindEventByTimestamp,
    ) -> Result<Option<DatedEvent>, MatrixError> {
        let FindEventByTimestamp { user_id, timestamp, direction } = command;
        self.visible_state(&user_id).await?;
        self.catalogue_all()?;
        let found = self.nearest_to_user(&user_id, timestamp, direction)?.map(|event| dated(&event));
        if self.gap_near(&user_id, timestamp)?.is_none() {
            return Ok(found);
        }
        let elsewhere = self.ask_for_nearer(timestamp, direction, found.as_ref()).await?;
        let Some(elsewhere) = elsewhere else { return Ok(found) };
        for _ in 0..MAX_PAGES {
            if self.store.find_event(&elsewhere.event_id)?.is_some_and(|event| event.position.is_some()) {
                break;
            }
            let Some(gap) = self.gap_near(&user_id, timestamp)? else { break };
            self.backfill(gap, MAX_EVENTS).await?;
            if self.store.gap(gap.id)?.free == gap.free {
                break;
            }
        }
        self.catalogue_all()?;
        match self.store.find_event(&elsewhere.event_id)?.filter(|event| event.position.is_some()) {
            // What came with it may be nearer, or it may be one that the user may not see.
            Some(_) => Ok(self.nearest_to_user(&user_id, timestamp, direction)?.map(|event| dated(&event))),
            None => Ok(Some(elsewhere)),
        }
    }

    /// What is missing between the events just before and just after a time, where a nearer one may be.
    fn gap_near(
        &self,
        user_id: &UserId,
        timestamp: MilliSecondsSinceUnixEpoch,
    ) -> Result<Option<Gap>, DatabaseError> {
        let position = |direction| -> Result<Option<LogPosition>, DatabaseError> {
            let event = self.nearest_to_user(user_id, timestamp, direction)?;
            Ok(event.and_then(|event| event.position))
        };
        let before = position(Direction::Backward)?.unwrap_or_default();
        let after = position(Direction::Forward)?.unwrap_or(LogPosition::MAX);
        self.store.gap_in(before.min(after), before.max(after))
    }

    /// Asks other servers for an event that is nearer than the one that is known here.
    async fn ask_for_nearer(
        &self,
        timestamp: MilliSecondsSinceUnixEpoch,
        direction: Direction,
        known: Option<&DatedEvent>,
    ) -> Result<Option<DatedEvent>, MatrixError> {
        let room_id = self.store.meta()?.room_id.clone();
        let bounds = Bounds { timeout_ms: TIMEOUT_MS, ..Bounds::default() };
        for server in self.servers_with_history()? {
            let request = get_event_by_timestamp::Request::new(room_id.clone(), timestamp, direction);
            match federation::send(self.runtime.platform.as_ref(), &server, request, bounds).await {
                Ok(answer) => {
                    let ts = answer.origin_server_ts;
                    let known = known.map(|known| known.origin_server_ts);
                    let is_nearer = match direction {
                        Direction::Forward => ts >= timestamp && known.is_none_or(|known| ts < known),
                        Direction::Backward => ts <= timestamp && known.is_none_or(|known| ts > known),
                    };
                    let found = DatedEvent { event_id: answer.event_id, origin_server_ts: ts };
                    return Ok(is_nearer.then_some(found));
                }
                Err(error) => crate::log::warn("by time", &format!("{server}: {error}")),
            }
        }
        Ok(None)
    }

    /// The event nearest to a time that a user may see.
    fn nearest_to_user(
        &self,
        user_id: &UserId,
        timestamp: MilliSecondsSinceUnixEpoch,
        direction: Direction,
    ) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let reader = Reader { user_id: user_id.to_owned(), device_id: "".into(), ignored_users: Vec::new() };
        let view = View::new(&self.store, &reader, 0)?;
        self.nearest(timestamp, direction, |event| view.may_see(event))
    }

    pub(in crate::room) fn serve_event_by_timestamp(
        self: &Rc<Self>,
        command: ServeEventByTimestamp,
    ) -> Result<Option<DatedEvent>, MatrixError> {
        self.require_resident(&command.server)?;
        self.catalogue_all()?;
        let mut view = ServerView::new(&self.store, &command.server);
        let event = self.nearest(command.timestamp, command.direction, |event| view.shows(event))?;
        Ok(event.map(|event| dated(&event)))
    }

    /// The event nearest to a time, at or after it or, backwards, before, of those that are shown.
    fn nearest(
        &self,
        timestamp: MilliSecondsSinceUnixEpoch,
        direction: Direction,
        mut is_shown: impl FnMut(&StoredEvent) -> Result<bool, DatabaseError>,
    ) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let ts = timestamp.get().into();
        let is_forward = direction == Direction::Forward;
        let mut from = if is_forward { (ts, LogPosition(0)) } else { (ts, LogPosition::MAX) };
        for _ in 0..MAX_BATCHES {
            let events = self.store.dated_events(from, is_forward, BATCH)?;
            let Some(last) = events.last() else { return Ok(None) };
            from = *last;
            for (_, position) in events {
                let Some((event, _)) = self.store.event_at(position)? else { continue };
                if is_shown(&event)? {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }
}

fn dated(event: &StoredEvent) -> DatedEvent {
    DatedEvent { event_id: event.pdu.event_id().to_owned(), origin_server_ts: event.pdu.origin_server_ts() }
}
