//! Identity keys of devices, and the user's keys as others see them.

use std::collections::BTreeMap;

use ruma::{
    DeviceId, OneTimeKeyAlgorithm, OwnedDeviceId,
    encryption::{CrossSigningKey, DeviceKeys},
    serde::Raw,
};
use serde_json::{Value, json};

use super::signed::SignedObject;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{QueryKeys, UploadKeys, UserKeys},
    user::UserEngine,
};

const ONE: &str = "SELECT keys FROM device_keys WHERE device_id = ?";
const ALL: &str =
    "SELECT k.device_id, k.keys, d.display_name FROM device_keys k JOIN device d USING (device_id)";
const SET: &str = "INSERT INTO device_keys (device_id, keys) VALUES (?, ?)
    ON CONFLICT (device_id) DO UPDATE SET keys = excluded.keys";
const DEVICE: &str = "SELECT 1 FROM device WHERE device_id = ?";

/// The largest identity keys of one device, in bytes.
const MAX_KEYS: usize = 64 * 1024;

impl UserEngine {
    pub(in crate::user) fn upload_keys(
        &self,
        command: UploadKeys,
    ) -> Result<BTreeMap<OneTimeKeyAlgorithm, u64>, MatrixError> {
        let device_id = command.device_id.as_str();
        let keys = command.device_keys.as_ref();
        let keys = keys.map(|keys| self.check_device_keys(&command.device_id, keys)).transpose()?;
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), MatrixError> {
            if db.query_first(DEVICE, params![device_id], |_| Ok(()))?.is_none() {
                return Err(MatrixError::not_found("You have no such device"));
            }
            if let Some(keys) = keys {
                self.set_device_keys(device_id, keys)?;
            }
            self.add_one_time_keys(device_id, &command.one_time_keys)?;
            self.set_fallback_keys(device_id, &command.fallback_keys)
        })?;
        self.answer_waiting();
        self.one_time_key_counts(device_id)
    }

    /// `M_BAD_JSON` for keys of the wrong form, `M_INVALID_PARAM` for those of another device.
    pub(super) fn check_device_keys(
        &self,
        device_id: &DeviceId,
        keys: &Raw<DeviceKeys>,
    ) -> Result<SignedObject, MatrixError> {
        if keys.json().get().len() > MAX_KEYS {
            return Err(MatrixError::too_large(format!("Device keys have at most {MAX_KEYS} bytes")));
        }
        let typed = keys.deserialize();
        let typed = typed.map_err(|error| MatrixError::bad_json(format!("device_keys: {error}")))?;
        if typed.user_id != self.user_id()? || typed.device_id != *device_id {
            return Err(MatrixError::invalid_param("These are the keys of another device"));
        }
        let mut keys = SignedObject::parse(keys.json())?;
        keys.0.remove("unsigned");
        Ok(keys)
    }

    /// Stores the keys of a device. Signatures that others of the user's keys made stay while the keys are the same.
    pub(super) fn set_device_keys(&self, device_id: &str, mut keys: SignedObject) -> Result<(), MatrixError> {
        let known = self.keys_of_device(device_id)?;
        if let Some(known) = &known
            && known.says_the_same_as(&keys)
        {
            let user_id = self.user_id()?;
            for (key_id, signature) in known.signatures_of(&user_id) {
                if keys.signatures_of(&user_id).iter().all(|(id, _)| *id != key_id) {
                    keys.add_signature(&user_id, &key_id, &signature);
                }
            }
        }
        if known.as_ref() == Some(&keys) {
            return Ok(());
        }
        self.runtime.db.execute(SET, params![device_id, &keys.text()?])?;
        Ok(self.device_list_changed(Some(device_id))?)
    }

    /// Whether a device has published keys.
    pub(in crate::user) fn has_keys(&self, device_id: &str) -> Result<bool, DatabaseError> {
        Ok(self.runtime.db.query_first(ONE, params![device_id], |_| Ok(()))?.is_some())
    }

    /// The keys of a device as they are stored; `None` when it has none.
    pub(super) fn keys_of_device(&self, device_id: &str) -> Result<Option<SignedObject>, DatabaseError> {
        let keys = self.runtime.db.query_first(ONE, params![device_id], |row| row.get::<String>(0))?;
        keys.map(|keys| SignedObject::stored(&keys)).transpose()
    }

    pub(in crate::user) fn query_keys(&self, command: QueryKeys) -> Result<UserKeys, MatrixError> {
        let mut keys = UserKeys {
            master_key: self.shown_cross_signing_key("master")?,
            self_signing_key: self.shown_cross_signing_key("self_signing")?,
            user_signing_key: None,
            stream_id: self.device_list_position()?,
            devices: BTreeMap::new(),
        };
        if command.is_own {
            keys.user_signing_key = self.shown_cross_signing_key("user_signing")?;
        }
        let rows = self.runtime.db.query(ALL, params![], |row| {
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<Option<String>>(2)?))
        })?;
        for (device_id, stored, display_name) in rows {
            let device_id = OwnedDeviceId::from(device_id);
            if command.devices.is_empty() || command.devices.contains(&device_id) {
                let mut shown = SignedObject::stored(&stored)?;
                if let Some(name) = display_name {
                    shown.0.insert("unsigned".to_owned(), json!({"device_display_name": name}));
                }
                keys.devices.insert(device_id, Raw::from_json(shown.raw()?));
            }
        }
        Ok(keys)
    }

    fn shown_cross_signing_key(&self, usage: &str) -> Result<Option<Raw<CrossSigningKey>>, MatrixError> {
        let key = self.cross_signing_key(usage)?;
        key.map(|key| Ok(Raw::from_json(key.raw()?))).transpose()
    }
}

/// Whether `value` is a key for `/keys/upload`: text, or an object with a text `key`.
pub(super) fn is_key(value: &Value) -> bool {
    value.is_string() || value.get("key").is_some_and(Value::is_string)
}
