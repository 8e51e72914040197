//! Messages to devices `[C-S §11.14]`: in order, each until the device acknowledges it by a sync that goes on from the
//! token with which it came.

use std::collections::BTreeSet;

use ruma::to_device::DeviceIdOrAllDevices;
use serde::Serialize;
use serde_json::value::RawValue;

use super::MAX_ID;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::DeliverToDevice,
    user::{UserEngine, sync::Stream},
};

const RECEIVE: &str = "INSERT INTO to_device_received (sender, message_id) VALUES (?, ?)
    ON CONFLICT (sender, message_id) DO NOTHING RETURNING number";
const FORGET: &str = "DELETE FROM to_device_received WHERE number <= ?";
const INSERT: &str = "INSERT INTO to_device (device_id, position, message) VALUES (?, ?, ?)";
const AFTER: &str = "SELECT position, message FROM to_device WHERE device_id = ? AND position > ?
    ORDER BY position LIMIT ?";
const FIRST: &str = "SELECT position FROM to_device WHERE device_id = ? ORDER BY position LIMIT 1";
const ACKNOWLEDGE: &str = "DELETE FROM to_device WHERE device_id = ? AND position <= ?";

/// How many messages one sync brings.
const MAX_MESSAGES: u32 = 100;
/// How large they are together, in bytes, unless one alone is larger.
const MAX_BYTES: usize = 512 * 1024;
/// How many messages are remembered, so that they are not taken in again.
const REMEMBERED: u64 = 20_000;
/// How many are forgotten at a time.
const FORGOTTEN_AT_ONCE: u64 = 1_000;

/// Messages for a device, in order.
pub(in crate::user) struct Inbox {
    /// As the client gets them.
    pub messages: Vec<Box<RawValue>>,
    /// The position of the last one; where it began when there are none.
    pub last: u64,
    /// The same, if there are more.
    pub ends_at: Option<u64>,
}

#[derive(Serialize)]
struct Message<'m> {
    sender: &'m str,
    #[serde(rename = "type")]
    event_type: &'m str,
    content: &'m RawValue,
}

impl UserEngine {
    pub(in crate::user) fn deliver_to_device(&self, command: DeliverToDevice) -> Result<(), MatrixError> {
        if command.message_id.len() > MAX_ID || command.event_type.len() > MAX_ID {
            return Err(MatrixError::invalid_param(format!("An id or type has at most {MAX_ID} bytes")));
        }
        let db = self.runtime.db.as_ref();
        let is_new = db.transaction(|| -> Result<bool, MatrixError> {
            if !self.receive(&command)? {
                return Ok(false);
            }
            let mut stream = Stream::load(db)?;
            let devices: BTreeSet<String> = self.device_ids()?.into_iter().collect();
            // Clients take it for granted that a content is an object, and other servers may send anything.
            let messages = command.messages.iter().filter(|(_, content)| content.get().starts_with('{'));
            for (target, content) in messages {
                let sender = command.sender.as_str();
                let message = Message { sender, event_type: &command.event_type, content };
                let message = serde_json::to_string(&message)?;
                match target {
                    DeviceIdOrAllDevices::AllDevices => {
                        for device_id in &devices {
                            db.execute(INSERT, params![device_id, stream.advance(), &message])?;
                        }
                    }
                    DeviceIdOrAllDevices::DeviceId(device_id) if devices.contains(device_id.as_str()) => {
                        db.execute(INSERT, params![device_id.as_str(), stream.advance(), &message])?;
                    }
                    DeviceIdOrAllDevices::DeviceId(_) => {}
                }
            }
            stream.store(db)?;
            Ok(true)
        })?;
        if is_new {
            self.answer_waiting();
        }
        Ok(())
    }

    /// Notes that the message was taken in; whether it was not before.
    fn receive(&self, command: &DeliverToDevice) -> Result<bool, DatabaseError> {
        let db = self.runtime.db.as_ref();
        let row = params![command.sender.as_str(), &command.message_id];
        let number = db.query_first(RECEIVE, row, |row| row.get::<u64>(0))?;
        if let Some(number) = number.filter(|number| number % FORGOTTEN_AT_ONCE == 0) {
            db.execute(FORGET, params![number.saturating_sub(REMEMBERED)])?;
        }
        Ok(number.is_some())
    }

    /// The next messages for a device that has got those up to a position of the stream, which are deleted.
    pub(in crate::user) fn inbox_from(&self, device_id: &str, position: u64) -> Result<Inbox, DatabaseError> {
        let db = self.runtime.db.as_ref();
        // Mostly there are none, and this is all that is read.
        let Some(first) = db.query_first(FIRST, params![device_id], |row| row.get::<u64>(0))? else {
            return Ok(Inbox { messages: Vec::new(), last: position, ends_at: None });
        };
        if first <= position {
            db.execute(ACKNOWLEDGE, params![device_id, position])?;
        }
        self.inbox(device_id, position)
    }

    /// The next messages for a device after a position of the stream.
    pub(in crate::user) fn inbox(&self, device_id: &str, after: u64) -> Result<Inbox, DatabaseError> {
        let wanted = MAX_MESSAGES.saturating_add(1);
        let rows = self.runtime.db.query(AFTER, params![device_id, after, wanted], |row| {
            Ok((row.get::<u64>(0)?, row.get::<String>(1)?))
        })?;
        let mut inbox = Inbox { messages: Vec::new(), last: after, ends_at: None };
        let mut bytes = 0_usize;
        for (position, message) in rows {
            bytes = bytes.saturating_add(message.len());
            let is_full = inbox.messages.len() >= usize::try_from(MAX_MESSAGES).unwrap_or(usize::MAX);
            if is_full || (bytes > MAX_BYTES && !inbox.messages.is_empty()) {
                inbox.ends_at = Some(inbox.last);
                break;
            }
            let message = RawValue::from_string(message);
            inbox.messages.push(message.map_err(|error| DatabaseError::corrupt(error.to_string()))?);
            inbox.last = position;
        }
        Ok(inbox)
    }
}
