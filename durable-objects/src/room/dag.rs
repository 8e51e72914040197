//! The room's DAG, for those who look after the server.

use super::{
    RoomEngine,
    store::{Standing, StoredEvent},
};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::room::{Dag, DagEvent, DagStanding, GetDag},
};

/// The most events of a part.
const MAX_EVENTS: u32 = 500;

impl RoomEngine {
    pub(super) fn get_dag(&self, command: GetDag) -> Result<Dag, MatrixError> {
        let meta = self.store.find_meta()?;
        let meta = meta.ok_or_else(|| MatrixError::not_found("Nothing of this room is here"))?;
        let limit = command.limit.clamp(1, MAX_EVENTS);
        let placed = self.store.placed_before(command.before.unwrap_or(u32::MAX), limit)?;
        let is_full = placed.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = placed.last().filter(|_| is_full).map(|nid| nid.0);
        let event = |nid| {
            let event = self.store.event(nid)?;
            Ok::<_, DatabaseError>(dag_event(&event, meta.extremities.contains(&nid)))
        };
        Ok(Dag {
            room_version: meta.version.to_string(),
            events: placed.into_iter().map(event).collect::<Result<_, _>>()?,
            extremities: meta.extremities.len(),
            next,
        })
    }
}

fn dag_event(event: &StoredEvent, is_extremity: bool) -> DagEvent {
    let pdu = &event.pdu;
    DagEvent {
        event_id: pdu.event_id().to_owned(),
        sender: pdu.sender().to_owned(),
        event_type: pdu.event_type().to_owned(),
        state_key: pdu.state_key().map(ToOwned::to_owned),
        origin_server_ts: pdu.origin_server_ts(),
        depth: pdu.depth(),
        prev_events: pdu.prev_events().to_vec(),
        auth_events: pdu.auth_events().to_vec(),
        standing: match event.standing {
            Standing::Rejected => DagStanding::Rejected,
            Standing::SoftFailed => DagStanding::SoftFailed,
            Standing::Accepted | Standing::Unchecked => DagStanding::Accepted,
        },
        reason: event.rejection.clone(),
        is_extremity,
        is_shown: event.position.is_some(),
        is_redacted: event.redacted_by.is_some(),
    }
}
