//! What the server sends.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, OwnedRoomId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{command, rpc::room::CheckedEvent};

/// Takes in a transaction of the server, once: repeated, it has no effect, and the same answer. Those of
/// one server are taken in one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReceiveTransaction {
    /// The transaction's id.
    pub txn_id: String,
    /// The events that were verified, with their rooms, in order.
    pub pdus: Vec<(OwnedRoomId, CheckedEvent)>,
    /// The EDUs, in order.
    pub edus: Vec<InboundEdu>,
}
command!(ReceiveTransaction to RemoteServer -> BTreeMap<OwnedEventId, Option<String>>);

/// An EDU of the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InboundEdu {
    /// Such as `m.typing`.
    pub edu_type: String,
    /// Its content, as the server sent it.
    pub content: Box<RawValue>,
}

/// An event of a room that the server takes part in, by its id alone, in the form in which the server may have it.
#[derive(Debug, Serialize, Deserialize)]
pub struct FindEvent {
    /// The event.
    pub event_id: OwnedEventId,
}
command!(FindEvent to RemoteServer -> Option<Box<RawValue>>);
