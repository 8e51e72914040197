//! Signatures that a user adds to keys: to their own devices and master key for all to see, to others' master keys
//! for themselves `[C-S §11.15.2, /keys/signatures/upload]`.

use ruma::OwnedUserId;
use serde_json::value::RawValue;

use super::{cross_signing::invalid_signature, signed::SignedObject};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    matrix_error::MatrixError,
    params,
    rpc::user::{GetSignatures, SignOtherKeys, SignOwnKeys, SignatureFailures, SignatureOfOther},
    user::{UserEngine, sync::Stream},
};

const SET_DEVICE_KEYS: &str = "UPDATE device_keys SET keys = ? WHERE device_id = ?";
const SET_OTHER: &str = "INSERT INTO signature_of_other (user_id, target, key_id, signature, position)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (user_id, target, key_id) DO UPDATE SET
    signature = excluded.signature, position = excluded.position";
const OF_USERS: &str = "SELECT user_id, target, key_id, signature FROM signature_of_other
    WHERE user_id IN (SELECT value FROM json_each(?))";
const SIGNED_AFTER: &str = "SELECT DISTINCT user_id FROM signature_of_other WHERE position > ?";

/// Notes why the signatures of a key were not taken.
fn note(failures: &mut SignatureFailures, key: &str, error: MatrixError) {
    failures.insert(key.to_owned(), (error.code.to_string(), error.message.to_string()));
}

impl UserEngine {
    pub(in crate::user) fn sign_own_keys(
        &self,
        command: SignOwnKeys,
    ) -> Result<SignatureFailures, MatrixError> {
        let mut failures = SignatureFailures::new();
        for (name, signed) in &command.signed {
            match self.sign_own_key(name, signed) {
                Err(error) if error.status < 500 => note(&mut failures, name, error),
                outcome => outcome?,
            }
        }
        self.answer_waiting();
        Ok(failures)
    }

    fn sign_own_key(&self, name: &str, signed: &RawValue) -> Result<(), MatrixError> {
        let signed = SignedObject::parse(signed)?;
        let db = self.runtime.db.as_ref();
        if let Some(mut stored) = self.keys_of_device(name)? {
            let signer = self.cross_signing_key("self_signing")?;
            let signer = signer.as_ref().and_then(SignedObject::only_key);
            let is_new = self.merge(&mut stored, &signed, &|key_id| {
                let (signer_id, public_key) = signer?;
                (key_id == signer_id).then(|| public_key.to_owned())
            })?;
            if !is_new {
                return Ok(());
            }
            return db.transaction(|| {
                db.execute(SET_DEVICE_KEYS, params![&stored.text()?, name])?;
                Ok(self.device_list_changed(Some(name))?)
            });
        }
        let master = self.cross_signing_key("master")?;
        let is_master = |key: &SignedObject| key.only_key().is_some_and(|(_, public_key)| public_key == name);
        let Some(mut stored) = master.filter(is_master) else {
            return Err(MatrixError::not_found("You have no such key"));
        };
        let is_new = self.merge(&mut stored, &signed, &|key_id| {
            let device_id = key_id.strip_prefix("ed25519:")?;
            Some(self.keys_of_device(device_id).ok()??.key(key_id)?.to_owned())
        })?;
        if !is_new {
            return Ok(());
        }
        db.transaction(|| {
            self.set_cross_signing_key("master", &stored)?;
            Ok(self.device_list_changed(None)?)
        })
    }

    /// Adds to `stored` the user's signatures in `signed` that `public_key_of` knows the key of; whether any was new.
    /// `M_INVALID_SIGNATURE` when one of them does not hold, or there are none.
    fn merge(
        &self,
        stored: &mut SignedObject,
        signed: &SignedObject,
        public_key_of: &dyn Fn(&str) -> Option<String>,
    ) -> Result<bool, MatrixError> {
        if !stored.says_the_same_as(signed) {
            return Err(invalid_signature("The signed object is not the one that is known here"));
        }
        let user_id = self.user_id()?;
        let known = stored.signatures_of(&user_id);
        let (mut is_any, mut is_new) = (false, false);
        for (key_id, signature) in signed.signatures_of(&user_id) {
            if known.contains(&(key_id.clone(), signature.clone())) {
                is_any = true;
                continue;
            }
            let Some(public_key) = public_key_of(&key_id) else { continue };
            if !signed.is_signed_by(&user_id, &key_id, &public_key) {
                return Err(invalid_signature(format!("The signature by {key_id} does not hold")));
            }
            is_any = true;
            is_new |= stored.add_signature(&user_id, &key_id, &signature);
        }
        if is_any { Ok(is_new) } else { Err(invalid_signature("There is no signature by a key of yours")) }
    }

    pub(in crate::user) fn sign_other_keys(
        &self,
        command: SignOtherKeys,
    ) -> Result<SignatureFailures, MatrixError> {
        let mut failures = SignatureFailures::new();
        for (name, signed) in &command.signed {
            match self.sign_other_key(&command, name, signed) {
                Err(error) if error.status < 500 => note(&mut failures, name, error),
                outcome => outcome?,
            }
        }
        self.answer_waiting();
        Ok(failures)
    }

    fn sign_other_key(
        &self,
        command: &SignOtherKeys,
        name: &str,
        signed: &RawValue,
    ) -> Result<(), MatrixError> {
        let signed = SignedObject::parse(signed)?;
        let master = command.master_key.as_ref().map(|key| SignedObject::parse(key.json())).transpose()?;
        let is_named = |key: &SignedObject| key.only_key().is_some_and(|(_, public_key)| public_key == name);
        let master = master.filter(is_named);
        let mut master = master.ok_or_else(|| MatrixError::not_found("The user has no such master key"))?;
        let signer = self.cross_signing_key("user_signing")?;
        let signer = signer.as_ref().and_then(SignedObject::only_key);
        let (signer_id, public_key) =
            signer.ok_or_else(|| MatrixError::not_found("You have no user-signing key"))?;
        let user_id = self.user_id()?;
        self.merge(&mut master, &signed, &|key_id| (key_id == signer_id).then(|| public_key.to_owned()))?;
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), MatrixError> {
            let mut stream = Stream::load(db)?;
            for (key_id, signature) in master.signatures_of(&user_id) {
                let position = stream.advance();
                let other = command.user_id.as_str();
                db.execute(SET_OTHER, params![other, name, &key_id, &signature, position])?;
            }
            Ok(stream.store(db)?)
        })
    }

    pub(in crate::user) fn get_signatures(
        &self,
        command: GetSignatures,
    ) -> Result<Vec<SignatureOfOther>, MatrixError> {
        let users = serde_json::to_string(&command.users)?;
        let read = |row: &mut Row| {
            let user_id = OwnedUserId::try_from(row.get::<String>(0)?);
            Ok(SignatureOfOther {
                user_id: user_id.map_err(|_| DatabaseError::corrupt("user id"))?,
                target: row.get(1)?,
                key_id: row.get(2)?,
                signature: row.get(3)?,
            })
        };
        Ok(self.runtime.db.query(OF_USERS, params![&users], read)?)
    }

    /// The users whose master keys the user signed after a position of the sync stream.
    pub(super) fn signed_after(&self, position: u64) -> Result<Vec<String>, DatabaseError> {
        self.runtime.db.query(SIGNED_AFTER, params![position], |row| row.get(0))
    }
}
