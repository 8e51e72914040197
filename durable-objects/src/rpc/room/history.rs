//! What other servers read of a room. `M_FORBIDDEN` for servers that take no part in it, or that it bans.

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedServerName, api::Direction};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::DatedEvent;
use crate::command;

/// Events and those before them, the latest first `[S-S §9, backfill]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServeBackfill {
    /// Who asks.
    pub server: OwnedServerName,
    /// Where to begin.
    pub from: Vec<OwnedEventId>,
    /// How many events at most.
    pub limit: u64,
}
command!(ServeBackfill to Room -> Vec<Box<RawValue>>);

/// The events between some and others, oldest first `[S-S §9, get_missing_events]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServeMissingEvents {
    /// Who asks.
    pub server: OwnedServerName,
    /// What it has.
    pub earliest: Vec<OwnedEventId>,
    /// What leads to what it lacks.
    pub latest: Vec<OwnedEventId>,
    /// Events of a smaller depth are left out.
    pub min_depth: u64,
    /// How many events at most.
    pub limit: u64,
}
command!(ServeMissingEvents to Room -> Vec<Box<RawValue>>);

/// The event nearest to a time `[S-S §9, timestamp_to_event]`, of those that the server may see.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServeEventByTimestamp {
    /// Who asks.
    pub server: OwnedServerName,
    /// The time.
    pub timestamp: MilliSecondsSinceUnixEpoch,
    /// Forward: at or after it; backward: at or before it.
    pub direction: Direction,
}
command!(ServeEventByTimestamp to Room -> Option<DatedEvent>);

/// One event `[S-S §9, event]`; `None` when it is not of this room.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServeEvent {
    /// Who asks.
    pub server: OwnedServerName,
    /// The event.
    pub event_id: OwnedEventId,
}
command!(ServeEvent to Room -> Option<Box<RawValue>>);

/// The events that authorise one, and those that authorise them `[S-S §9, event_auth]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServeAuthChain {
    /// Who asks.
    pub server: OwnedServerName,
    /// The event.
    pub event_id: OwnedEventId,
}
command!(ServeAuthChain to Room -> Vec<Box<RawValue>>);

/// The state before an event `[S-S §9, state]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServeState {
    /// Who asks.
    pub server: OwnedServerName,
    /// The event.
    pub event_id: OwnedEventId,
}
command!(ServeState to Room -> ServedState);

/// See [`ServeState`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ServedState {
    /// The state.
    pub pdus: Vec<Box<RawValue>>,
    /// What authorises it.
    pub auth_chain: Vec<Box<RawValue>>,
}

/// The same by id `[S-S §9, state_ids]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServeStateIds {
    /// Who asks.
    pub server: OwnedServerName,
    /// The event.
    pub event_id: OwnedEventId,
}
command!(ServeStateIds to Room -> ServedStateIds);

/// See [`ServeStateIds`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ServedStateIds {
    /// The state.
    pub pdu_ids: Vec<OwnedEventId>,
    /// What authorises it.
    pub auth_chain_ids: Vec<OwnedEventId>,
}
