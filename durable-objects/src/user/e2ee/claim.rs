//! Handing out one-time keys, each once.

use std::collections::BTreeMap;

use ruma::{OneTimeKeyId, serde::Raw};
use serde_json::value::RawValue;

use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    matrix_error::MatrixError,
    params,
    rpc::user::{ClaimKeys, ClaimedKeys},
    user::UserEngine,
};

const TAKE: &str = "DELETE FROM one_time_key WHERE device_id = ? AND algorithm = ? AND number =
    (SELECT min(number) FROM one_time_key WHERE device_id = ? AND algorithm = ?) RETURNING key_id, key";
const COUNT_DOWN: &str =
    "UPDATE one_time_key_count SET count = count - 1 WHERE device_id = ? AND algorithm = ?";
const FALLBACK: &str = "SELECT key_id, key FROM fallback_key WHERE device_id = ? AND algorithm = ?";
const SET_USED: &str = "UPDATE fallback_key SET is_used = 1
    WHERE device_id = ? AND algorithm = ? AND is_used = 0";

fn key(row: &mut Row) -> Result<(String, String), DatabaseError> {
    Ok((row.get(0)?, row.get(1)?))
}

impl UserEngine {
    /// All of it is one transaction: of two claims at the same time each gets keys of its own.
    pub(in crate::user) fn claim_keys(&self, command: ClaimKeys) -> Result<ClaimedKeys, MatrixError> {
        let mut claimed = ClaimedKeys::new();
        self.runtime.db.transaction(|| -> Result<(), MatrixError> {
            for (device_id, algorithm) in &command.devices {
                let Some((name, json)) = self.take_key(device_id.as_str(), algorithm.as_str())? else {
                    continue;
                };
                let id = OneTimeKeyId::from_parts(algorithm.clone(), name.as_str().into());
                let key = Raw::from_json(RawValue::from_string(json)?);
                claimed.insert(device_id.clone(), BTreeMap::from([(id, key)]));
            }
            Ok(())
        })?;
        Ok(claimed)
    }

    /// The oldest one-time key, else the fallback key: id and JSON.
    fn take_key(&self, device_id: &str, algorithm: &str) -> Result<Option<(String, String)>, DatabaseError> {
        let db = self.runtime.db.as_ref();
        if let Some(taken) = db.query_first(TAKE, params![device_id, algorithm, device_id, algorithm], key)? {
            db.execute(COUNT_DOWN, params![device_id, algorithm])?;
            return Ok(Some(taken));
        }
        let fallback = db.query_first(FALLBACK, params![device_id, algorithm], key)?;
        if fallback.is_some() {
            db.execute(SET_USED, params![device_id, algorithm])?;
        }
        Ok(fallback)
    }
}
