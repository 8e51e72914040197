//! The summary: how many members there are, and who stands for the room when it has no name `[C-S §6.4, RoomSummary]`.

use selvedge_protocol::{auth::AuthState, json::write_string};

use super::{Pull, State};
use crate::{
    database::DatabaseError,
    room::{store::StoredEvent, view::ObjectWriter},
};

/// How many users stand for a room.
const HEROES: usize = 5;
/// How many entries of the state are looked through for them, at most.
const MAX_SCANNED: usize = 500;

impl Pull<'_> {
    /// Writes the summary; returns the heroes.
    pub fn summarise(&self, json: &mut ObjectWriter) -> Result<Vec<String>, DatabaseError> {
        let state = State::current(&self.engine.store)?;
        let heroes = if is_named(&state)? { None } else { Some(self.heroes(&state)?) };
        let mut summary = ObjectWriter::new();
        if let Some(heroes) = &heroes {
            summary.array("m.heroes", heroes.iter().map(|hero| quoted(hero)));
        }
        summary.member("m.invited_member_count", &self.meta.invited.to_string());
        summary.member("m.joined_member_count", &self.meta.joined.to_string());
        json.member("summary", &summary.finish());
        Ok(heroes.unwrap_or_default())
    }

    /// The first members, in the order in which they came, other than the user: those who are joined or invited, or,
    /// when there are none, those who were.
    fn heroes(&self, state: &State) -> Result<Vec<String>, DatabaseError> {
        let (mut here, mut gone) = (Vec::new(), Vec::new());
        for entry in state.entries().take(MAX_SCANNED) {
            // State keys are numbered in the order of their first use.
            let event = self.engine.store.event(entry?.1)?;
            let Some(user) = event.pdu.state_key().filter(|_| event.pdu.event_type() == "m.room.member")
            else {
                continue;
            };
            if user == self.asked.reader.user_id.as_str() {
                continue;
            }
            let heroes = match event.pdu.content_str("membership").as_deref() {
                Some("join" | "invite") => &mut here,
                _ => &mut gone,
            };
            if heroes.len() < HEROES {
                heroes.push(user.to_owned());
            }
            if here.len() >= HEROES {
                break;
            }
        }
        Ok(if here.is_empty() { gone } else { here })
    }
}

/// Whether an event is of a type by which the summary may change: without its name, a room needs heroes.
pub fn is_summarised(event: &StoredEvent) -> bool {
    matches!(event.pdu.event_type(), "m.room.member" | "m.room.name" | "m.room.canonical_alias")
}

fn is_named(state: &State) -> Result<bool, DatabaseError> {
    for (event_type, field) in [("m.room.name", "name"), ("m.room.canonical_alias", "alias")] {
        let event = state.get(event_type, "")?;
        if event.is_some_and(|event| event.content_str(field).is_some_and(|text| !text.is_empty())) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    write_string(text, &mut json);
    json
}
