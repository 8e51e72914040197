//! Sending events.

use std::rc::Rc;

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, UInt, UserId};
use selvedge_protocol::{auth::Level, event::Pdu};
use serde_json::{Value, json, value::RawValue};

use crate::{
    matrix_error::MatrixError,
    room::{RoomEngine, commit::NewEvent, store::Txn},
    rpc::room::{RedactEvent, SendMessage, SendState},
};

/// State that is not redacted, as in Synapse: without its content an access control list shuts out every server, and a
/// create event forgets what the room is.
const NEEDED: [&str; 2] = ["m.room.create", "m.room.server_acl"];

fn timestamp(milliseconds: Option<u64>) -> Option<MilliSecondsSinceUnixEpoch> {
    milliseconds.and_then(|ts| UInt::try_from(ts).ok()).map(MilliSecondsSinceUnixEpoch)
}

impl RoomEngine {
    pub(in crate::room) async fn send_message(
        self: &Rc<Self>,
        command: SendMessage,
    ) -> Result<OwnedEventId, MatrixError> {
        let txn = Txn { device_id: command.device_id.to_string(), txn_id: command.txn_id, redacts: None };
        if let Some(sent) = self.sent_before(&command.sender, &txn, &command.event_type)? {
            return Ok(sent);
        }
        let redacts = match command.event_type.as_str() {
            "m.room.redaction" => {
                Some(self.check_redaction(&command.sender, target(&command.content)?, false)?)
            }
            _ => None,
        };
        let content = command.content.get();
        let mut event = NewEvent::message(command.sender, &command.event_type, content, Some(txn));
        event.timestamp = timestamp(command.timestamp);
        event.redacts = redacts;
        self.write_one(&self.pen().await?, event).await
    }

    pub(in crate::room) async fn send_state(
        self: &Rc<Self>,
        command: SendState,
    ) -> Result<OwnedEventId, MatrixError> {
        let SendState { sender, event_type, state_key, content, .. } = command;
        if event_type == "m.room.create" {
            return Err(MatrixError::bad_request("A room is created once"));
        }
        let mut event = NewEvent::state(sender, &event_type, &state_key, content.get());
        event.timestamp = timestamp(command.timestamp);
        self.write_one(&self.pen().await?, event).await
    }

    pub(in crate::room) async fn redact_event(
        self: &Rc<Self>,
        command: RedactEvent,
    ) -> Result<OwnedEventId, MatrixError> {
        let txn = Txn {
            device_id: command.device_id.to_string(),
            txn_id: command.txn_id,
            redacts: Some(command.event_id.clone()),
        };
        if let Some(sent) = self.sent_before(&command.sender, &txn, "m.room.redaction")? {
            return Ok(sent);
        }
        let target = self.check_redaction(&command.sender, command.event_id, command.is_suspended)?;
        let mut content = json!({});
        if let (Some(content), Some(reason)) = (content.as_object_mut(), command.reason) {
            content.insert("reason".to_owned(), Value::String(reason));
        }
        let mut event = NewEvent::message(command.sender, "m.room.redaction", content.to_string(), Some(txn));
        event.redacts = Some(target);
        self.write_one(&self.pen().await?, event).await
    }

    /// The event that the same transaction made before.
    fn sent_before(
        &self,
        sender: &UserId,
        txn: &Txn,
        event_type: &str,
    ) -> Result<Option<OwnedEventId>, MatrixError> {
        Ok(self.store.find_txn(sender, txn, event_type)?)
    }

    /// Whether a user of this server may redact an event: their own, or, with the power to redact, any, also one
    /// that only other servers have `[C-S §11.7]`. Between servers the rule is laxer: there a server answers for
    /// its users.
    fn check_redaction(
        &self,
        sender: &UserId,
        target: OwnedEventId,
        own_only: bool,
    ) -> Result<OwnedEventId, MatrixError> {
        let state = self.joined_state(sender)?;
        let event = self.store.find_event(&target)?;
        let event = event.filter(|event| event.position.is_some());
        let is_needed = |pdu: &Pdu| pdu.state_key() == Some("") && NEEDED.contains(&pdu.event_type());
        if event.as_ref().is_some_and(|event| is_needed(&event.pdu)) {
            return Err(MatrixError::forbidden("This event may not be redacted"));
        }
        if event.as_ref().is_some_and(|event| event.pdu.sender() == sender) {
            return Ok(target);
        }
        let levels = state.power_levels()?.map_err(|rule| MatrixError::forbidden(rule.to_string()))?;
        let has_power = match (levels.user(sender), levels.level(Level::Redact)) {
            (Ok(power), Ok(needed)) => power >= needed,
            _ => false,
        };
        if own_only || !has_power {
            if event.is_none() {
                return Err(MatrixError::not_found("There is no such event"));
            }
            return Err(MatrixError::forbidden("You may not redact this event"));
        }
        Ok(target)
    }
}

/// The event that the content of a redaction names.
fn target(content: &RawValue) -> Result<OwnedEventId, MatrixError> {
    let content: Value = serde_json::from_str(content.get())?;
    let target =
        content.get("redacts").and_then(Value::as_str).and_then(|id| OwnedEventId::try_from(id).ok());
    target.ok_or_else(|| MatrixError::bad_json("A redaction needs an event id as `redacts`"))
}
