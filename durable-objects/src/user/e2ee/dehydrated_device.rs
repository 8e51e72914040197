//! Dehydrated devices (MSC3814): a device whose client is nowhere, which takes messages until a new client of the user
//! wakes it up.

use ruma::OwnedDeviceId;
use serde_json::value::RawValue;

use super::MAX_ID;
use crate::{
    database::DatabaseExt,
    matrix_error::MatrixError,
    params,
    rpc::user::{
        DehydratedDevice, DehydratedEvents, DeleteDehydratedDevice, GetDehydratedDevice, GetDehydratedEvents,
        NewLogin, PutDehydratedDevice,
    },
    user::UserEngine,
};

const READ: &str = "SELECT device_id, data FROM dehydrated_device";
const INSERT: &str = "INSERT INTO dehydrated_device (one, device_id, data) VALUES (1, ?, ?)";
const UPDATE: &str = "UPDATE dehydrated_device SET data = ?";

/// The largest device, in bytes.
const MAX_DATA: usize = 256 * 1024;

impl UserEngine {
    pub(in crate::user) fn put_dehydrated_device(
        &self,
        command: PutDehydratedDevice,
    ) -> Result<(), MatrixError> {
        if command.data.get().len() > MAX_DATA || command.device_id.as_str().len() > MAX_ID {
            return Err(MatrixError::too_large("The dehydrated device is too large"));
        }
        let keys = self.check_device_keys(&command.device_id, &command.device_keys)?;
        let known = self.dehydrated_device()?;
        let is_same = known.as_ref().is_some_and(|known| known.device_id == command.device_id);
        let id = command.device_id.as_str();
        if !is_same && self.device_ids()?.iter().any(|device_id| device_id == id) {
            return Err(MatrixError::invalid_param("This is the id of another device"));
        }
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), MatrixError> {
            if is_same {
                db.execute(UPDATE, params![command.data.get()])?;
            } else {
                if let Some(known) = known {
                    self.remove_devices(&[known.device_id.to_string()])?;
                }
                self.ensure_device(&NewLogin {
                    device_id: Some(command.device_id.clone()),
                    initial_display_name: command.display_name.clone(),
                    ..NewLogin::default()
                })?;
                db.execute(INSERT, params![id, command.data.get()])?;
            }
            self.set_device_keys(id, keys)?;
            self.add_one_time_keys(id, &command.one_time_keys)?;
            self.set_fallback_keys(id, &command.fallback_keys)
        })?;
        self.answer_waiting();
        Ok(())
    }

    fn dehydrated_device(&self) -> Result<Option<DehydratedDevice>, MatrixError> {
        let row = self
            .runtime
            .db
            .query_first(READ, params![], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
        let device = row.map(|(device_id, data)| {
            Ok(DehydratedDevice { device_id: device_id.into(), data: RawValue::from_string(data)? })
        });
        device.transpose()
    }

    pub(in crate::user) fn get_dehydrated_device(
        &self,
        _: GetDehydratedDevice,
    ) -> Result<DehydratedDevice, MatrixError> {
        self.dehydrated_device()?.ok_or_else(|| MatrixError::not_found("There is no dehydrated device"))
    }

    pub(in crate::user) fn delete_dehydrated_device(
        &self,
        _: DeleteDehydratedDevice,
    ) -> Result<OwnedDeviceId, MatrixError> {
        let device = self.get_dehydrated_device(GetDehydratedDevice {})?;
        self.runtime.db.transaction(|| self.remove_devices(&[device.device_id.to_string()]))?;
        self.answer_waiting();
        Ok(device.device_id)
    }

    /// Messages stay until the device is removed: a client that fails while it wakes it up begins anew.
    pub(in crate::user) fn get_dehydrated_events(
        &self,
        command: GetDehydratedEvents,
    ) -> Result<DehydratedEvents, MatrixError> {
        let device = self.get_dehydrated_device(GetDehydratedDevice {})?;
        if device.device_id != command.device_id {
            return Err(MatrixError::forbidden("This is not the dehydrated device"));
        }
        let unknown = || MatrixError::invalid_param("`next_batch` is not from here");
        let from = command.from.as_deref().map(|from| from.parse::<u64>().map_err(|_| unknown()));
        let from = from.transpose()?.unwrap_or(0);
        if from >= 1 << 53 {
            return Err(unknown());
        }
        let inbox = self.inbox(device.device_id.as_str(), from)?;
        Ok(DehydratedEvents { events: inbox.messages, next_batch: inbox.last.to_string() })
    }
}
