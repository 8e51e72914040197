//! Account data in the answer to a `/sync`.

use std::collections::BTreeMap;

use ruma::{
    RoomId,
    api::client::filter::{Filter, RoomEventFilter},
};
use serde_json::value::{RawValue, to_raw_value};

use super::{AFTER, Entry, OF_ROOM};
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    room::filter::{lets_room_through, lets_type_through, matches},
    rpc::user::{ChangedRoom, Section, Standing},
    user::{UserEngine, push_rules::PUSH_RULES, sync::Asked},
};

/// The account data that belongs to no room.
pub(in crate::user) fn account_data_section(
    engine: &UserEngine,
    asked: &Asked,
) -> Result<Option<Section>, MatrixError> {
    let Filter { types, not_types, .. } = &asked.filter.account_data;
    let any = |patterns: &[String], kind: &str| patterns.iter().any(|pattern| matches(pattern, kind));
    let wanted = |kind: &str| !any(not_types, kind) && types.as_ref().is_none_or(|types| any(types, kind));
    let mut events = Vec::new();
    let mut entries = engine.account_data_after(asked.position())?;
    entries.retain(|entry| entry.room_id.is_empty());
    if asked.since.is_none() || entries.iter().any(|entry| entry.kind == PUSH_RULES) {
        // Stored or not, a client sees the rules that hold.
        entries.retain(|entry| entry.kind != PUSH_RULES);
        let (room_id, kind) = (String::new(), PUSH_RULES.to_owned());
        entries.push(Entry { room_id, kind, content: engine.push_rules_content()? });
    }
    for entry in entries {
        if wanted(&entry.kind) {
            events.push(entry.event()?);
        }
    }
    if events.is_empty() {
        return Ok(None);
    }
    let json = to_raw_value(&BTreeMap::from([("events", events)]))?;
    Ok(Some(Section { name: "account_data".to_owned(), json, is_news: true }))
}

impl UserEngine {
    fn account_data_after(&self, position: u64) -> Result<Vec<Entry>, DatabaseError> {
        self.runtime.db.query(AFTER, params![position], Entry::read)
    }

    /// Adds to the rooms of an answer their account data: what is new, and in a room that is new to the
    /// client, all of it.
    pub(in crate::user) fn add_account_data(
        &self,
        asked: &Asked,
        rooms: &mut [ChangedRoom],
    ) -> Result<(), DatabaseError> {
        if rooms.is_empty() {
            return Ok(());
        }
        let mut news: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in self.account_data_after(asked.position())? {
            news.entry(entry.room_id.clone()).or_default().push(entry);
        }
        for room in rooms {
            let is_new = matches!(room.standing, Standing::Joined { from: None, .. });
            let entries = if is_new && asked.since.is_some() {
                self.runtime.db.query(OF_ROOM, params![room.room_id.as_str()], Entry::read)?
            } else {
                news.remove(room.room_id.as_str()).unwrap_or_default()
            };
            room.account_data = events(&asked.filter.room.account_data, &room.room_id, &entries)?;
        }
        Ok(())
    }
}

fn events(
    filter: &RoomEventFilter,
    room_id: &RoomId,
    entries: &[Entry],
) -> Result<Vec<Box<RawValue>>, DatabaseError> {
    if !lets_room_through(filter, room_id) {
        return Ok(Vec::new());
    }
    entries.iter().filter(|entry| lets_type_through(filter, &entry.kind)).map(Entry::event).collect()
}
