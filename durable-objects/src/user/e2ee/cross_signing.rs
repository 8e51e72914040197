//! Cross-signing keys `[C-S §11.15.2]`.

use std::borrow::Cow;

use ruma::{
    api::error::ErrorCode,
    encryption::{CrossSigningKey, KeyUsage},
    serde::Raw,
};

use super::signed::SignedObject;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{SigningKeysUpload, UploadSigningKeys},
    user::UserEngine,
};

const ALL: &str = "SELECT key FROM cross_signing_key";
const READ: &str = "SELECT key FROM cross_signing_key WHERE usage = ?";
const SET: &str = "INSERT INTO cross_signing_key (usage, key) VALUES (?, ?)
    ON CONFLICT (usage) DO UPDATE SET key = excluded.key";
const DELETE_ALL: &str = "DELETE FROM cross_signing_key";
const DELETE_SIGNATURES: &str = "DELETE FROM signature_of_other";

/// The largest key with its signatures, in bytes.
const MAX_KEY: usize = 64 * 1024;

/// `M_INVALID_SIGNATURE`.
pub(super) fn invalid_signature(text: impl Into<Cow<'static, str>>) -> MatrixError {
    MatrixError::new(400, ErrorCode::from("M_INVALID_SIGNATURE"), text)
}

impl UserEngine {
    pub(in crate::user) fn upload_signing_keys(
        &self,
        command: UploadSigningKeys,
    ) -> Result<SigningKeysUpload, MatrixError> {
        let known_master = self.cross_signing_key("master")?;
        let given = [
            (KeyUsage::Master, &command.master_key),
            (KeyUsage::SelfSigning, &command.self_signing_key),
            (KeyUsage::UserSigning, &command.user_signing_key),
        ];
        let mut keys = Vec::new();
        for (usage, key) in given {
            if let Some(key) = key {
                let key = self.check_signing_key(&usage, key)?;
                keys.push((usage.as_str().to_owned(), key));
            }
        }
        let new_master = keys.iter().find(|(usage, _)| usage == "master").map(|(_, key)| key);
        let master = new_master.or(known_master.as_ref());
        let master = master.ok_or_else(|| MatrixError::missing_param("There is no master key"))?;
        let user_id = self.user_id()?;
        let (key_id, public_key) = master.only_key().ok_or_else(|| MatrixError::bad_json("master_key"))?;
        for (usage, key) in keys.iter().filter(|(usage, _)| usage != "master") {
            if !key.is_signed_by(&user_id, key_id, public_key) {
                return Err(invalid_signature(format!("The {usage} key is not signed by the master key")));
            }
        }
        let mut changed = Vec::new();
        for (usage, key) in &keys {
            if !self.cross_signing_key(usage)?.is_some_and(|known| known.says_the_same_as(key)) {
                changed.push((usage, key));
            }
        }
        let upload = match (&known_master, changed.is_empty()) {
            (None, _) => SigningKeysUpload::First,
            (Some(_), true) => SigningKeysUpload::Unchanged,
            (Some(_), false) => SigningKeysUpload::Replacing,
        };
        if changed.is_empty() || (upload == SigningKeysUpload::Replacing && !command.is_proven) {
            return Ok(upload);
        }
        self.runtime.db.transaction(|| -> Result<(), MatrixError> {
            changed.iter().try_for_each(|(usage, key)| self.set_cross_signing_key(usage, key))?;
            Ok(self.device_list_changed(None)?)
        })?;
        self.answer_waiting();
        Ok(upload)
    }

    /// A key of the right form for its use. `M_BAD_JSON`, `M_INVALID_PARAM`.
    fn check_signing_key(
        &self,
        usage: &KeyUsage,
        key: &Raw<CrossSigningKey>,
    ) -> Result<SignedObject, MatrixError> {
        if key.json().get().len() > MAX_KEY {
            return Err(MatrixError::too_large(format!("A key has at most {MAX_KEY} bytes")));
        }
        let typed = key.deserialize();
        let typed = typed.map_err(|error| MatrixError::bad_json(format!("{usage} key: {error}")))?;
        let wrong = |why: &str| MatrixError::invalid_param(format!("The {usage} key {why}"));
        if typed.user_id != self.user_id()? {
            return Err(wrong("is of another user"));
        }
        if !typed.usage.contains(usage) {
            return Err(wrong("is for another use"));
        }
        let object = SignedObject::parse(key.json())?;
        let (key_id, public_key) =
            object.only_key().ok_or_else(|| wrong("has not exactly one public key"))?;
        if key_id.split_once(':') != Some(("ed25519", public_key)) {
            return Err(wrong("is not named by its public key"));
        }
        if self.device_ids()?.iter().any(|device_id| device_id == public_key) {
            return Err(MatrixError::forbidden("Key ID in use"));
        }
        Ok(object)
    }

    /// A cross-signing key as it is stored.
    pub(super) fn cross_signing_key(&self, usage: &str) -> Result<Option<SignedObject>, DatabaseError> {
        let key = self.runtime.db.query_first(READ, params![usage], |row| row.get::<String>(0))?;
        key.map(|key| SignedObject::stored(&key)).transpose()
    }

    /// Whether this is the public key of one of them: no device has such an id, for it names the key where keys are verified.
    pub(in crate::user) fn is_cross_signing_key(&self, id: &str) -> Result<bool, DatabaseError> {
        let keys =
            self.runtime.db.query(ALL, params![], |row| SignedObject::stored(&row.get::<String>(0)?))?;
        Ok(keys.iter().any(|key| key.only_key().is_some_and(|(_, public_key)| public_key == id)))
    }

    /// Stores a key. In a transaction of the caller.
    pub(super) fn set_cross_signing_key(&self, usage: &str, key: &SignedObject) -> Result<(), MatrixError> {
        Ok(self.runtime.db.execute(SET, params![usage, &key.text()?])?)
    }

    /// Removes the user's cross-signing keys, and what they signed. In a transaction of the caller.
    pub(in crate::user) fn erase_cross_signing(&self) -> Result<(), DatabaseError> {
        if self.cross_signing_key("master")?.is_some() {
            self.device_list_changed(None)?;
        }
        self.runtime.db.execute(DELETE_ALL, params![])?;
        self.runtime.db.execute(DELETE_SIGNATURES, params![])
    }
}
