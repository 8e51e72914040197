//! Finding events by time `[C-S §11.16]`.

use std::rc::Rc;

use ruma::{UserId, api::Direction};

use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{RoomEngine, store::StoredEvent, view::View},
    rpc::room::{DatedEvent, FindEventByTimestamp, LogPosition, Reader},
};

/// How many events are read at a time.
const BATCH: u32 = 20;
/// How often, for one that the user may see.
const MAX_BATCHES: u32 = 50;

impl RoomEngine {
    pub(in crate::room) async fn find_event_by_timestamp(
        self: &Rc<Self>,
        command: FindEventByTimestamp,
    ) -> Result<Option<DatedEvent>, MatrixError> {
        let FindEventByTimestamp { user_id, timestamp, direction } = command;
        self.visible_state(&user_id).await?;
        self.catalogue_all()?;
        let event = self.nearest_event(&user_id, timestamp.get().into(), direction)?;
        Ok(event.map(|event| DatedEvent {
            event_id: event.pdu.event_id().to_owned(),
            origin_server_ts: event.pdu.origin_server_ts(),
        }))
    }

    /// The event nearest to a time, at or after it or, backwards, before, that the user may see.
    fn nearest_event(
        &self,
        user_id: &UserId,
        ts: u64,
        direction: Direction,
    ) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let reader = Reader { user_id: user_id.to_owned(), device_id: "".into(), ignored_users: Vec::new() };
        let view = View::new(&self.store, &reader, 0)?;
        let is_forward = direction == Direction::Forward;
        let mut from = if is_forward { (ts, LogPosition(0)) } else { (ts, LogPosition::MAX) };
        for _ in 0..MAX_BATCHES {
            let events = self.store.dated_events(from, is_forward, BATCH)?;
            let Some(last) = events.last() else { return Ok(None) };
            from = *last;
            for (_, position) in events {
                let Some((event, _)) = self.store.event_at(position)? else { continue };
                if view.may_see(&event)? {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }
}
