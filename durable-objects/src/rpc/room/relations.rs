//! Reading what relates to what.

use ruma::{OwnedEventId, api::Direction};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Reader;
use crate::command;

/// The events that relate to one. `M_NOT_FOUND` when the user may not see that one.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetRelations {
    /// Who asks.
    pub reader: Reader,
    /// The event to which they relate.
    pub event_id: OwnedEventId,
    /// Only those that relate in this way.
    pub rel_type: Option<String>,
    /// Only those of this type.
    pub event_type: Option<String>,
    /// Where to begin.
    pub from: Option<String>,
    /// Where to end at the latest.
    pub to: Option<String>,
    /// Which way.
    pub direction: Direction,
    /// How many events at most.
    pub limit: u32,
    /// Whether what relates to these is wanted too.
    pub recurse: bool,
}
command!(GetRelations to Room -> Box<RawValue>);

/// The roots of threads, those with the latest events first.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetThreads {
    /// Who asks.
    pub reader: Reader,
    /// Only threads in which the user has written.
    pub participated: bool,
    /// Where to begin.
    pub from: Option<String>,
    /// How many threads at most.
    pub limit: u32,
}
command!(GetThreads to Room -> Box<RawValue>);
