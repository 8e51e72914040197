//! What a user was notified of `[C-S §11.13, listing notifications]`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{LogPosition, Reader};
use crate::command;

/// The events of the room that a joined user's push rules tell them of, since they joined; the latest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListNotifications {
    /// Who asks.
    pub reader: Reader,
    /// The content of the user's `m.push_rules`; `None` when they have changed none.
    pub push_rules: Option<Box<RawValue>>,
    /// Whether only highlights are wanted.
    pub highlights_only: bool,
    /// At this position and before.
    pub from: Option<LogPosition>,
    /// How many at most.
    pub limit: u32,
}
command!(ListNotifications to Room -> RoomNotifications);

/// See [`ListNotifications`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RoomNotifications {
    /// In their order.
    pub notifications: Vec<RoomNotification>,
    /// Where to go on after these; `None` when there are no more.
    pub end: Option<LogPosition>,
}

/// One notification.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoomNotification {
    /// As the client gets it.
    pub json: Box<RawValue>,
    /// The event's `origin_server_ts`, milliseconds.
    pub ts: u64,
    /// Where to go on after it.
    pub next: LogPosition,
}
