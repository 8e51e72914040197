//! What goes along with the events: who types, and who has read up to where.

use super::Pull;
use crate::{
    database::DatabaseError,
    room::{
        filter::{lets_room_through, lets_type_through},
        receipts,
    },
    rpc::room::RoomSection,
};

/// The ephemeral events of an answer.
#[derive(Debug, Default)]
pub struct Ephemeral {
    pub events: Vec<String>,
    /// Whether the client sees someone type after this answer.
    pub is_typing: bool,
}

impl Pull<'_> {
    pub fn ephemeral(&self) -> Result<Ephemeral, DatabaseError> {
        let asked = self.asked;
        let mut ephemeral = Ephemeral::default();
        let is_wanted = |event_type: &str| lets_type_through(&asked.ephemeral, event_type);
        if self.section != RoomSection::Join || !lets_room_through(&asked.ephemeral, &self.meta.room_id) {
            return Ok(ephemeral);
        }
        if is_wanted("m.receipt") {
            let from = asked.from.unwrap_or_default();
            let event = receipts::event_since(&self.engine.store, &asked.reader, from, self.end)?;
            ephemeral.events.extend(event);
        }
        if is_wanted("m.typing") {
            let (event, is_typing) = self.engine.typing_event(&asked.reader)?;
            if is_typing || asked.saw_typing {
                ephemeral.events.push(event);
            }
            ephemeral.is_typing = is_typing;
        }
        Ok(ephemeral)
    }
}
