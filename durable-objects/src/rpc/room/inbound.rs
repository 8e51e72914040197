//! Events of other servers on their way into a room.

use ruma::{OwnedEventId, OwnedServerName, RoomVersionId};
use selvedge_protocol::event::{ParseError, Pdu, VerifiedPdu};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{command, matrix_error::MatrixError};

/// An event whose signatures and hash were verified by the part of this server that hands it on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckedEvent {
    /// Its id.
    pub event_id: OwnedEventId,
    /// Its canonical JSON.
    pub json: Box<RawValue>,
    /// Whether its content hash was wrong, so that this is the redacted form.
    pub content_lost: bool,
}

impl CheckedEvent {
    /// Hands a verified event on.
    pub fn new(event: VerifiedPdu) -> Result<Self, MatrixError> {
        let content_lost = event.content_lost();
        let pdu = event.into_pdu();
        let event_id = pdu.event_id().to_owned();
        Ok(Self { event_id, json: RawValue::from_string(pdu.into_json())?, content_lost })
    }

    /// Takes over a verified event.
    pub fn open(self) -> Result<VerifiedPdu, ParseError> {
        let pdu = Pdu::from_stored(self.event_id, self.json.get())?;
        Ok(VerifiedPdu::vouched_for(pdu, self.content_lost))
    }
}

/// The room's version; `None` when this server never had anything of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetRoomVersion {}
command!(GetRoomVersion to Room -> Option<RoomVersionId>);

/// Takes in new events, in order `[S-S §5.1.1]`. What they lack is asked of the server that sent them.
/// For each: nothing, or why it was refused.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReceivePdus {
    /// The server that sent them.
    pub origin: OwnedServerName,
    /// The events.
    pub pdus: Vec<CheckedEvent>,
}
command!(ReceivePdus to Room -> Vec<Option<String>>);

/// Whether the room lets a server take part `[S-S §19]`; `false` also when this server takes no part in it.
#[derive(Debug, Serialize, Deserialize)]
pub struct AdmitsServer {
    /// The server.
    pub server: OwnedServerName,
}
command!(AdmitsServer to Room -> bool);
