//! Sending events.

use ruma::{OwnedDeviceId, OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// Sends an event that is not state. Sent again with the same transaction, replies the same `[C-S §2.8]`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendMessage {
    /// The sender.
    pub sender: OwnedUserId,
    /// The sender's device.
    pub device_id: OwnedDeviceId,
    /// The client's transaction id.
    pub txn_id: String,
    /// The event's type.
    pub event_type: String,
    /// The content.
    pub content: Box<RawValue>,
    /// For an application service: when the event was made, in milliseconds since the epoch.
    pub timestamp: Option<u64>,
}
command!(SendMessage to Room -> OwnedEventId);

/// Sends a state event. Sent again with nothing changed, replies with the event that is there.
#[derive(Debug, Serialize, Deserialize)]
pub struct SendState {
    /// The sender.
    pub sender: OwnedUserId,
    /// The event's type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// The content.
    pub content: Box<RawValue>,
    /// As in [`SendMessage`].
    pub timestamp: Option<u64>,
}
command!(SendState to Room -> OwnedEventId);

/// Redacts an event. `M_NOT_FOUND` when there is no such event.
#[derive(Debug, Serialize, Deserialize)]
pub struct RedactEvent {
    /// The sender.
    pub sender: OwnedUserId,
    /// The sender's device.
    pub device_id: OwnedDeviceId,
    /// The client's transaction id.
    pub txn_id: String,
    /// The event to redact.
    pub event_id: OwnedEventId,
    /// Why.
    pub reason: Option<String>,
    /// Whether the sender's account is suspended: then they redact what they sent themselves only `[C-S §5.6.2]`.
    pub is_suspended: bool,
}
command!(RedactEvent to Room -> OwnedEventId);
