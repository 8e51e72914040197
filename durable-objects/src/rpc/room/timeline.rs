//! Reading a room's timeline.

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedUserId,
    api::{Direction, client::filter::RoomEventFilter},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Reader;
use crate::{command, rpc::as_json};

/// Which events of a room a client wants `[C-S §6.3, RoomEventFilter]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TimelineFilter {
    /// What does not depend on other events.
    #[serde(flatten)]
    pub event: RoomEventFilter,
    /// Only events to which one of these users has related another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related_by_senders: Vec<OwnedUserId>,
    /// Only events to which another relates in one of these ways.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related_by_rel_types: Vec<String>,
}

impl TimelineFilter {
    /// Whether every event passes, as far as it is of a room that the filter is for.
    pub fn lets_all_through(&self) -> bool {
        let Self { event, related_by_senders, related_by_rel_types } = self;
        event.types.is_none()
            && event.not_types.is_empty()
            && event.senders.is_none()
            && event.not_senders.is_empty()
            && event.url_filter.is_none()
            && related_by_senders.is_empty()
            && related_by_rel_types.is_empty()
    }

    /// Whether members come with the events of theirs only.
    pub fn loads_lazily(&self) -> bool {
        !self.event.lazy_load_options.is_disabled()
    }
}

/// One event. `M_NOT_FOUND` when there is none, or when the user may not see it.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetEvent {
    /// Who asks.
    pub reader: Reader,
    /// The event.
    pub event_id: OwnedEventId,
}
command!(GetEvent to Room -> Box<RawValue>);

/// A stretch of the timeline.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetMessages {
    /// Who asks.
    pub reader: Reader,
    /// Where to begin; `None` for the end that `direction` comes from.
    pub from: Option<String>,
    /// Where to end at the latest.
    pub to: Option<String>,
    /// Which way.
    pub direction: Direction,
    /// How many events at most.
    pub limit: u32,
    /// Which events.
    #[serde(with = "as_json")]
    pub filter: TimelineFilter,
}
command!(GetMessages to Room -> Box<RawValue>);

/// The events around one.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetContext {
    /// Who asks.
    pub reader: Reader,
    /// The event.
    pub event_id: OwnedEventId,
    /// How many events at most.
    pub limit: u32,
    /// Which events.
    #[serde(with = "as_json")]
    pub filter: TimelineFilter,
}
command!(GetContext to Room -> Box<RawValue>);

/// The event nearest to a time `[C-S §11.16]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct FindEventByTimestamp {
    /// Who asks.
    pub user_id: OwnedUserId,
    /// The time.
    pub timestamp: MilliSecondsSinceUnixEpoch,
    /// Forward: at or after it; backward: at or before it.
    pub direction: Direction,
}
command!(FindEventByTimestamp to Room -> Option<DatedEvent>);

/// An event and when it was sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DatedEvent {
    /// The event.
    pub event_id: OwnedEventId,
    /// When its server says that it made it.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
}
