//! What the room owes to other servers.

use std::rc::Rc;

use serde_json::value::RawValue;

use super::RoomEngine;
use crate::{
    matrix_error::MatrixError,
    rpc::room::{LogPosition, PullForServer, PulledForServer},
};

/// The most events that one pull gives.
const MAX_EVENTS: usize = 50;

impl RoomEngine {
    /// Gives what a server is owed after a position: the entries that this server must give to
    /// others, from those made when the other was, or came to be, in the room.
    pub(super) async fn pull_for_server(
        self: &Rc<Self>,
        command: PullForServer,
    ) -> Result<PulledForServer, MatrixError> {
        let Some(meta) = self.store.find_meta()? else { return Ok(nothing(command.after)) };
        self.pulled_by_server(&command.server, meta.last_position);
        let Some(server) = self.store.server(&command.server)? else {
            return Ok(nothing(meta.last_position));
        };
        let last = server.until.map_or(meta.last_position, |until| until.min(meta.last_position));
        let after = command.after.max(server.since);
        let limit = command.limit.clamp(1, MAX_EVENTS);
        // One more than is given tells whether there is more.
        let wanted = u32::try_from(limit.saturating_add(1)).unwrap_or(u32::MAX);
        let mut entries = if command.catch_up {
            // The latest alone: the server walks back from it by itself.
            self.store.log_backward(after, last, 1)?
        } else {
            self.store.log_broadcast(after, last, wanted)?
        };
        let more = entries.len() > limit;
        entries.truncate(limit);
        let position = match entries.last() {
            Some(entry) if more => entry.position,
            _ => meta.last_position.max(command.after),
        };
        let mut pdus = Vec::with_capacity(entries.len());
        for entry in &entries {
            if let Some(event) = self.store.given_event(entry)? {
                pdus.push(RawValue::from_string(event.pdu.json().to_owned())?);
            }
        }
        let edus = self.receipts_edu(after, position.min(last))?.into_iter().collect();
        Ok(PulledForServer { pdus, edus, position, more })
    }
}

fn nothing(position: LogPosition) -> PulledForServer {
    PulledForServer { pdus: Vec::new(), edus: Vec::new(), position, more: false }
}
