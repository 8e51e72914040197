//! The user's devices `[C-S §11.12]`.

use ruma::OwnedDeviceId;

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    matrix_error::MatrixError,
    params,
    platform::random,
    rpc::user::{Device, GetDevice, ListDevices, NewLogin, RemoveDevices, RenameDevice},
};

/// The longest accepted device id, display name and stored `User-Agent`, in bytes.
const MAX_TEXT: usize = 255;
/// How many devices one user may have.
const MAX_DEVICES: u64 = 1_000;

const IDS: &str = "SELECT device_id FROM device";
const COUNT: &str = "SELECT count(*) FROM device";
const EXISTS: &str = "SELECT 1 FROM device WHERE device_id = ?";
const INSERT: &str = "INSERT INTO device
    (device_id, display_name, created_ts, last_seen_ts, last_seen_ip, last_user_agent) VALUES (?, ?, ?, ?, ?, ?)";
const SEEN: &str =
    "UPDATE device SET last_seen_ts = ?, last_seen_ip = ?, last_user_agent = ? WHERE device_id = ?";
const DELETE: &str = "DELETE FROM device WHERE device_id = ?";
const SELECT: &str =
    "SELECT device_id, display_name, last_seen_ts, last_seen_ip, last_user_agent FROM device";
const RENAME: &str = "UPDATE device SET display_name = ? WHERE device_id = ? RETURNING 1";
const ONE: &str = " WHERE device_id = ?";

fn no_such_device() -> MatrixError {
    MatrixError::not_found("You have no such device")
}

fn read(row: &mut Row) -> Result<Device, DatabaseError> {
    Ok(Device {
        device_id: row.get::<String>(0)?.into(),
        display_name: row.get(1)?,
        last_seen_ts: row.get(2)?,
        last_seen_ip: row.get(3)?,
        last_user_agent: row.get(4)?,
    })
}

/// The start of `text` that is kept.
fn clipped(text: &str) -> &str {
    let end = (0..=MAX_TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or(text)
}

impl UserEngine {
    /// The device that `login` asks for, made when it does not exist.
    pub(super) fn ensure_device(&self, login: &NewLogin) -> Result<OwnedDeviceId, MatrixError> {
        let (db, platform) = (self.runtime.db.as_ref(), self.runtime.platform.as_ref());
        let device_id = login.device_id.clone().unwrap_or_else(|| self.new_device_id());
        if device_id.as_str().is_empty() || device_id.as_str().len() > MAX_TEXT {
            return Err(MatrixError::invalid_param(format!("A device id has 1 to {MAX_TEXT} bytes")));
        }
        let name = login.initial_display_name.as_deref();
        check_display_name(name)?;
        let id = device_id.as_str();
        if self.is_cross_signing_key(id)? {
            return Err(MatrixError::forbidden("A cross-signing key has this id"));
        }
        if db.query_first(EXISTS, params![id], |_| Ok(()))?.is_some() {
            self.saw_device(id, &login.address, &login.user_agent)?;
            return Ok(device_id);
        }
        if db
            .query_first(COUNT, params![], |row| row.get::<u64>(0))?
            .is_some_and(|count| count >= MAX_DEVICES)
        {
            return Err(MatrixError::forbidden("Too many devices: log some of them out"));
        }
        let now = platform.now();
        let user_agent = clipped(&login.user_agent);
        db.execute(INSERT, params![id, name, now, now, &login.address, user_agent])?;
        Ok(device_id)
    }

    pub(super) fn list_devices(&self, _: ListDevices) -> Result<Vec<Device>, MatrixError> {
        Ok(self.runtime.db.query(SELECT, params![], read)?)
    }

    pub(super) fn get_device(&self, command: GetDevice) -> Result<Device, MatrixError> {
        let (db, id) = (self.runtime.db.as_ref(), command.device_id.as_str());
        db.query_first(&format!("{SELECT}{ONE}"), params![id], read)?.ok_or_else(no_such_device)
    }

    pub(super) fn rename_device(&self, command: RenameDevice) -> Result<(), MatrixError> {
        check_display_name(command.display_name.as_deref())?;
        let (db, id) = (self.runtime.db.as_ref(), command.device_id.as_str());
        let Some(name) = &command.display_name else {
            return db.query_first(EXISTS, params![id], |_| Ok(()))?.ok_or_else(no_such_device);
        };
        db.transaction(|| {
            db.query_first(RENAME, params![name, id], |_| Ok(()))?.ok_or_else(no_such_device)?;
            self.device_list_changed(Some(id))?;
            Ok::<_, MatrixError>(())
        })?;
        self.answer_waiting();
        Ok(())
    }

    pub(super) fn delete_devices(&self, command: RemoveDevices) -> Result<(), MatrixError> {
        let ids: Vec<String> = command.device_ids.iter().map(ToString::to_string).collect();
        self.runtime.db.transaction(|| self.remove_devices(&ids))
    }

    /// Ten capital letters.
    fn new_device_id(&self) -> OwnedDeviceId {
        let letter = |byte: u8| char::from(b'A'.saturating_add(byte % 26));
        random::<10>(self.runtime.platform.as_ref()).into_iter().map(letter).collect::<String>().into()
    }

    /// Writes down that a device was used just now.
    pub(super) fn saw_device(
        &self,
        device_id: &str,
        address: &str,
        user_agent: &str,
    ) -> Result<(), DatabaseError> {
        let now = self.runtime.platform.now();
        self.runtime.db.execute(SEEN, params![now, address, clipped(user_agent), device_id])
    }

    /// The ids of all devices.
    pub(super) fn device_ids(&self) -> Result<Vec<String>, DatabaseError> {
        self.runtime.db.query(IDS, params![], |row| row.get(0))
    }

    /// Removes devices with all that refers to them, their tokens first of all. In a transaction of the caller.
    pub(super) fn remove_devices(&self, device_ids: &[String]) -> Result<(), MatrixError> {
        for device_id in device_ids {
            if self.has_keys(device_id)? {
                self.device_list_changed(Some(device_id))?;
            }
            self.runtime.db.execute(DELETE, params![device_id])?;
        }
        Ok(())
    }
}

/// `M_INVALID_PARAM` for a display name that is too long.
pub(super) fn check_display_name(name: Option<&str>) -> Result<(), MatrixError> {
    if name.is_some_and(|name| name.len() > MAX_TEXT) {
        return Err(MatrixError::invalid_param(format!(
            "A device's display name has at most {MAX_TEXT} bytes"
        )));
    }
    Ok(())
}
