//! Keeps the [catalogue](store) up with the log.
//!
//! Entering each event as it comes would make every message dearer, for the sake of rooms in which nobody searches.
//! So the catalogue follows in batches: after a while in the background, and at once for who is about to read it.
//! What is put into the log at a place that the catalogue has passed already is entered then.
//!
//! [store]: super::store

use std::{borrow::Cow, cell::Cell};

use selvedge_protocol::{event::Pdu, json::Value, relations};

use super::{
    RoomEngine,
    store::{Words, Writer},
};
use crate::{database::DatabaseError, rpc::room::LogPosition};

/// How many entries of the log are read in one transaction.
const BATCH: u32 = 200;
/// After how many commits the catalogue follows.
const LAG: u32 = 128;

/// How many commits there were since the catalogue last followed, as far as is known in memory.
#[derive(Default)]
pub(super) struct Lag(Cell<u32>);

impl RoomEngine {
    /// Brings the catalogue up to the log's end.
    pub(super) fn catalogue_all(&self) -> Result<(), DatabaseError> {
        let end = self.store.meta()?.last_position;
        while self.catalogue_batch(end)? {}
        self.lag.0.set(0);
        Ok(())
    }

    /// The same, if it has been a while.
    pub(super) fn catalogue_sometimes(&self) -> Result<(), DatabaseError> {
        let lag = self.lag.0.get().saturating_add(1);
        self.lag.0.set(lag);
        if lag < LAG { Ok(()) } else { self.catalogue_all() }
    }

    /// Enters one batch; whether there may be more.
    fn catalogue_batch(&self, end: LogPosition) -> Result<bool, DatabaseError> {
        let reached = self.store.catalogued()?;
        if reached >= end {
            return Ok(false);
        }
        self.store.write(|writer| {
            let entries = writer.log_forward(reached, end, BATCH)?;
            for entry in &entries {
                if let Some(event) = writer.event_of(entry)? {
                    enter(writer, &event.pdu, entry.position)?;
                }
            }
            let is_full = entries.len() >= BATCH as usize;
            let last = entries.last().map(|entry| entry.position).filter(|_| is_full);
            writer.set_catalogued(last.unwrap_or(end))?;
            Ok(is_full)
        })
    }
}

/// Enters an event that is put into the log where the catalogue has passed already.
pub(super) fn enter_late(
    writer: &mut Writer<'_>,
    pdu: &Pdu,
    position: LogPosition,
) -> Result<(), DatabaseError> {
    if writer.catalogued()? < position { Ok(()) } else { enter(writer, pdu, position) }
}

/// The topic that an `m.room.topic` sets, and its plain text representation where that is another
/// `[C-S §11.13, search categories]`.
fn topic(pdu: &Pdu) -> Option<Cow<'_, str>> {
    if pdu.event_type() != "m.room.topic" {
        return None;
    }
    let plain = |representation: Value<'_>| {
        let representation = representation.as_object()?;
        let mimetype = representation.get("mimetype").and_then(Value::as_str);
        let is_plain = mimetype.is_none_or(|mimetype| mimetype == "text/plain");
        is_plain.then(|| representation.get("body")?.as_str().map(Cow::into_owned)).flatten()
    };
    let representations = pdu.content_object().get("m.topic").and_then(Value::as_object);
    let representations = representations.and_then(|topic| topic.get("m.text")?.as_array());
    let plain = representations.and_then(|texts| texts.into_iter().find_map(plain));
    match (pdu.content_str("topic"), plain) {
        (Some(topic), Some(plain)) if topic != plain => Some(format!("{topic}\n{plain}").into()),
        (topic, plain) => topic.or(plain.map(Cow::Owned)),
    }
}

fn enter(writer: &mut Writer<'_>, pdu: &Pdu, position: LogPosition) -> Result<(), DatabaseError> {
    writer.add_dated_event(pdu.origin_server_ts().get().into(), position)?;
    if let Some(root) = relations::thread_root(pdu) {
        writer.add_thread_event(&root, position)?;
    }
    let text = |event_type: &str, field: &str| {
        (pdu.event_type() == event_type).then(|| pdu.content_str(field)).flatten()
    };
    let body = text("m.room.message", "body");
    let (name, topic) = (text("m.room.name", "name"), topic(pdu));
    let words = Words { body: body.as_deref(), name: name.as_deref(), topic: topic.as_deref() };
    if words != Words::default() {
        writer.add_words(position, words)?;
    }
    Ok(())
}
