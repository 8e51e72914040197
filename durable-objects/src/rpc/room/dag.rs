//! The room's DAG, for those who look after the server.

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// A part of the DAG. `M_NOT_FOUND` when nothing of the room is here.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetDag {
    /// Only events that came before the one with this number.
    pub before: Option<u32>,
    /// How many at most.
    pub limit: u32,
}
command!(GetDag to Room -> Dag);

/// See [`GetDag`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Dag {
    /// The room's version.
    pub room_version: String,
    /// In the order in which they came, the latest first.
    pub events: Vec<DagEvent>,
    /// How many events nothing follows.
    pub extremities: usize,
    /// What `before` is to be for the next part; `None` at the end.
    pub next: Option<u32>,
}

/// An event with its place in the DAG, without its content.
#[derive(Debug, Serialize, Deserialize)]
pub struct DagEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its state key, if it is state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_key: Option<String>,
    /// When it was sent, as its server says.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
    /// Its depth, as its server says.
    pub depth: u64,
    /// What it follows.
    pub prev_events: Vec<OwnedEventId>,
    /// What it cites.
    pub auth_events: Vec<OwnedEventId>,
    /// What was decided about it.
    pub standing: DagStanding,
    /// The rule that it broke, if it was rejected or soft-failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether nothing follows it.
    pub is_extremity: bool,
    /// Whether clients are shown it.
    pub is_shown: bool,
    /// Whether it was redacted.
    pub is_redacted: bool,
}

/// What was decided about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DagStanding {
    /// It counts.
    Accepted,
    /// It breaks a rule now, and did not when it was sent.
    SoftFailed,
    /// It breaks a rule.
    Rejected,
}
