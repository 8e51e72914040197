//! History of the time before this server took part in the room.

use std::rc::Rc;

use ruma::OwnedServerName;

use crate::{
    matrix_error::MatrixError,
    room::{RoomEngine, inbound::Gather, store::Gap},
    rpc::room::LogPosition,
};

/// How many events are asked for at the least: one question brings several pages.
const MIN_EVENTS: u32 = 50;
/// How many events are asked for at the most.
pub(super) const MAX_EVENTS: u32 = 100;
/// How many missing events are named.
const MAX_NAMED: u32 = 20;
/// How many servers are asked.
const MAX_SERVERS: u32 = 4;

impl RoomEngine {
    /// Asks other servers for about `limit` events of a gap in the log, the latest first. Where none answers, the gap
    /// stays, and readers go on behind it.
    pub(super) async fn backfill(self: &Rc<Self>, gap: Gap, limit: u32) -> Result<(), MatrixError> {
        let from = self.store.backward_extremities(LogPosition(gap.id), MAX_NAMED)?;
        if from.is_empty() {
            return Ok(());
        }
        for server in self.servers_with_history()? {
            let gather = Gather::new(self, server.clone())?;
            match gather.backfill(from.clone(), limit.clamp(MIN_EVENTS, MAX_EVENTS)).await {
                Ok(0) => {}
                Ok(_) => return Ok(()),
                Err(error) => {
                    let reason = error.refusal()?;
                    crate::log::warn("backfill", &format!("{server}: {reason}"));
                }
            }
        }
        Ok(())
    }

    /// Servers that may know what was before, the one that the room is named after first.
    pub(super) fn servers_with_history(&self) -> Result<Vec<OwnedServerName>, MatrixError> {
        let meta = self.store.meta()?;
        let mut servers: Vec<_> =
            self.store.resident_servers("", MAX_SERVERS)?.into_iter().map(|server| server.name).collect();
        if let Some(name) = meta.room_id.server_name()
            && self.store.server(name)?.is_some_and(|server| server.joined > 0)
        {
            servers.retain(|server| server != name);
            servers.insert(0, name.to_owned());
        }
        Ok(servers)
    }
}
