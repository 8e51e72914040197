//! One-time keys and fallback keys as devices upload them.

use std::collections::BTreeMap;

use ruma::{OneTimeKeyAlgorithm, OwnedOneTimeKeyId, encryption::OneTimeKey, serde::Raw};
use serde_json::Value;

use super::{MAX_ID, device_keys::is_key};
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    user::UserEngine,
};

const BY_ID: &str = "SELECT key FROM one_time_key WHERE device_id = ? AND algorithm = ? AND key_id = ?";
const INSERT: &str = "INSERT INTO one_time_key (device_id, algorithm, number, key_id, key) VALUES (?, ?,
    (SELECT coalesce(max(number), 0) + 1 FROM one_time_key WHERE device_id = ? AND algorithm = ?), ?, ?)";
const ADD_TO_COUNT: &str = "INSERT INTO one_time_key_count (device_id, algorithm, count) VALUES (?, ?, ?)
    ON CONFLICT (device_id, algorithm) DO UPDATE SET count = count + excluded.count";
const COUNTS: &str = "SELECT algorithm, count FROM one_time_key_count WHERE device_id = ?";
const FALLBACK: &str = "SELECT key_id, key FROM fallback_key WHERE device_id = ? AND algorithm = ?";
const SET_FALLBACK: &str = "INSERT INTO fallback_key (device_id, algorithm, key_id, key, is_used)
    VALUES (?, ?, ?, ?, 0) ON CONFLICT (device_id, algorithm) DO UPDATE SET
    key_id = excluded.key_id, key = excluded.key, is_used = 0";
const UNUSED: &str = "SELECT algorithm FROM fallback_key WHERE device_id = ? AND is_used = 0";

/// How many one-time keys of one algorithm a device may have.
const MAX_KEYS: u64 = 1_000;
/// The largest of them, in bytes.
const MAX_KEY: usize = 4 * 1024;

/// A key that has the right form: algorithm, id, JSON.
fn checked(id: &OwnedOneTimeKeyId, key: &Raw<OneTimeKey>) -> Result<(String, String, Value), MatrixError> {
    let bad = |why: &str| MatrixError::bad_json(format!("{id}: {why}"));
    let (algorithm, name) = id.as_str().split_once(':').ok_or_else(|| bad("no algorithm"))?;
    if algorithm.is_empty() || name.is_empty() || id.as_str().len() > MAX_ID {
        return Err(bad("not a key id"));
    }
    let value: Value = serde_json::from_str(key.json().get()).map_err(|_| bad("not JSON"))?;
    if !is_key(&value) || key.json().get().len() > MAX_KEY {
        return Err(bad("not a key"));
    }
    Ok((algorithm.to_owned(), name.to_owned(), value))
}

impl UserEngine {
    /// Adds one-time keys. In a transaction of the caller.
    pub(super) fn add_one_time_keys(
        &self,
        device_id: &str,
        keys: &BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
    ) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        let mut added: BTreeMap<String, u64> = BTreeMap::new();
        for (id, key) in keys {
            let (algorithm, name, key) = checked(id, key)?;
            let known = params![device_id, &algorithm, &name];
            if let Some(known) = db.query_first(BY_ID, known, |row| row.get::<String>(0))? {
                let known: Value = serde_json::from_str(&known)?;
                if known == key {
                    continue;
                }
                let text = format!("One time key {id} already exists. Old key: {known}; new key: {key}");
                return Err(MatrixError::bad_request(text));
            }
            let key = key.to_string();
            db.execute(INSERT, params![device_id, &algorithm, device_id, &algorithm, &name, &key])?;
            let count = added.entry(algorithm).or_default();
            *count = count.saturating_add(1);
        }
        for (algorithm, count) in added {
            db.execute(ADD_TO_COUNT, params![device_id, &algorithm, count])?;
        }
        if self.counts_of(device_id)?.values().any(|count| *count > MAX_KEYS) {
            let text = format!("A device has at most {MAX_KEYS} one-time keys of an algorithm");
            return Err(MatrixError::invalid_param(text));
        }
        Ok(())
    }

    /// Replaces fallback keys. In a transaction of the caller.
    pub(super) fn set_fallback_keys(
        &self,
        device_id: &str,
        keys: &BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
    ) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        for (id, key) in keys {
            let (algorithm, name, key) = checked(id, key)?;
            let key = key.to_string();
            let known = db.query_first(FALLBACK, params![device_id, &algorithm], |row| {
                Ok((row.get::<String>(0)?, row.get::<String>(1)?))
            })?;
            // The same key again is not a new one: if it was handed out, it stays so.
            if known.as_ref() != Some(&(name.clone(), key.clone())) {
                db.execute(SET_FALLBACK, params![device_id, &algorithm, &name, &key])?;
            }
        }
        Ok(())
    }

    /// How many one-time keys of each algorithm are left.
    pub(super) fn counts_of(&self, device_id: &str) -> Result<BTreeMap<String, u64>, DatabaseError> {
        let rows = self.runtime.db.query(COUNTS, params![device_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// The same for clients, which want to see that none are left.
    pub(super) fn one_time_key_counts(
        &self,
        device_id: &str,
    ) -> Result<BTreeMap<OneTimeKeyAlgorithm, u64>, MatrixError> {
        let mut counts = BTreeMap::from([(OneTimeKeyAlgorithm::SignedCurve25519, 0)]);
        counts.extend(
            self.counts_of(device_id)?
                .into_iter()
                .map(|(algorithm, count)| (OneTimeKeyAlgorithm::from(algorithm), count)),
        );
        Ok(counts)
    }

    /// The algorithms of fallback keys that were not handed out.
    pub(super) fn unused_fallback_types(&self, device_id: &str) -> Result<Vec<String>, DatabaseError> {
        self.runtime.db.query(UNUSED, params![device_id], |row| row.get(0))
    }
}
