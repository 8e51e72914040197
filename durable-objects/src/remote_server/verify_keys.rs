//! A server's signing keys: asked for, checked, kept `[S-S §3.1]`.

use std::collections::BTreeMap;

use ruma::{
    CanonicalJsonObject, CanonicalJsonValue,
    api::federation::discovery::{ServerSigningKeys, get_server_keys},
    serde::Base64,
    signatures::{PublicKeyMap, PublicKeySet, verify_json},
};

use super::RemoteServerEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    federation,
    matrix_error::MatrixError,
    params,
    rpc::remote_server::{GetVerifyKeys, Resolve, VerifyKey, VerifyKeys},
};

const KEYS: &str = "SELECT key_id, public_key, valid_until_ts, is_old FROM verify_key";
const STORE_KEY: &str =
    "INSERT INTO verify_key (key_id, public_key, valid_until_ts, is_old) VALUES (?, ?, ?, ?)
    ON CONFLICT (key_id) DO UPDATE SET
        public_key = excluded.public_key, valid_until_ts = excluded.valid_until_ts, is_old = excluded.is_old";
const RESPONSE: &str = "SELECT json, fetched_ts FROM key_response";
const STORE_RESPONSE: &str = "INSERT INTO key_response (id, json, fetched_ts) VALUES (1, ?, ?)
    ON CONFLICT (id) DO UPDATE SET json = excluded.json, fetched_ts = excluded.fetched_ts";

/// No published key is believed for longer than this, whatever its server says `[S-S §3.1]`.
const MAX_VALIDITY: u64 = 7 * 24 * 3_600_000;
/// A server is not asked for its keys more often than this: unknown key ids cost an attacker nothing.
const MIN_INTERVAL: u64 = 60_000;

impl RemoteServerEngine {
    /// Known keys, after asking the server when they do not do.
    pub(super) async fn get_verify_keys(&self, command: GetVerifyKeys) -> Result<VerifyKeys, MatrixError> {
        let (stored, fetched_ts) = self.stored_keys()?;
        let now = self.runtime.platform.now();
        let does = |known: &VerifyKeys| {
            let valid = |key: &VerifyKey| key.valid_until_ts >= command.valid_at;
            let known_and_valid = |id| known.keys.get(id).is_some_and(valid);
            known.response.is_some()
                && known.keys.values().any(valid)
                && command.wanted.iter().all(known_and_valid)
        };
        let asked_lately = fetched_ts.is_some_and(|fetched| now.saturating_sub(fetched) < MIN_INTERVAL);
        if does(&stored) || asked_lately {
            return Ok(stored);
        }
        match self.fetch_keys(now).await {
            Ok(()) => Ok(self.stored_keys()?.0),
            Err(error) if stored.keys.is_empty() => Err(error),
            Err(_) => Ok(stored),
        }
    }

    fn stored_keys(&self) -> Result<(VerifyKeys, Option<u64>), MatrixError> {
        let db = self.runtime.db.as_ref();
        let keys = db.query(KEYS, params![], |row| {
            let id: String = row.get(0)?;
            let id = id.as_str().try_into().map_err(|_| DatabaseError::corrupt("a key id"))?;
            Ok((id, VerifyKey { public_key: row.get(1)?, valid_until_ts: row.get(2)?, is_old: row.get(3)? }))
        })?;
        let response =
            db.query_first(RESPONSE, params![], |row| Ok((row.get::<String>(0)?, row.get::<u64>(1)?)))?;
        let (response, fetched_ts) = response.unzip();
        Ok((VerifyKeys { keys: keys.into_iter().collect(), response }, fetched_ts))
    }

    async fn fetch_keys(&self, now: u64) -> Result<(), MatrixError> {
        let name = self.server_name()?;
        let resolution = self.resolve(Resolve {}).await?;
        let answer = federation::send_unsigned(
            self.runtime.platform.as_ref(),
            &resolution,
            get_server_keys::v2::Request::new(),
        )
        .await?;
        let json = answer.server_key.json().get();
        let keys = check_response(json, now).filter(|keys| keys.server_name == name).ok_or_else(|| {
            MatrixError::bad_gateway(format!("{name} answers with keys that it did not sign"))
        })?;
        let current = keys.verify_keys.into_iter().map(|(id, key)| {
            let until = u64::from(keys.valid_until_ts.0).min(now.saturating_add(MAX_VALIDITY));
            (id, key.key.encode(), until, false)
        });
        let old = keys.old_verify_keys.into_iter();
        let old = old.map(|(id, key)| (id, key.key.encode(), u64::from(key.expired_ts.0), true));
        let db = self.runtime.db.as_ref();
        db.transaction(|| {
            for (id, public_key, until, is_old) in current.chain(old) {
                db.execute(STORE_KEY, params![id.as_str(), &public_key, until, is_old])?;
            }
            db.execute(STORE_RESPONSE, params![json, now])
        })
        .map_err(|error: DatabaseError| error.into())
    }
}

/// Parses an answer about keys and checks that each current key has signed it `[S-S §3.1]`.
fn check_response(json: &str, now: u64) -> Option<ServerSigningKeys> {
    let keys: ServerSigningKeys = serde_json::from_str(json).ok()?;
    let object: CanonicalJsonObject = serde_json::from_str(json).ok()?;
    if keys.verify_keys.is_empty() || u64::from(keys.valid_until_ts.0) < now {
        return None;
    }
    for (id, key) in &keys.verify_keys {
        // Each key is checked alone: one good signature must not vouch for another key.
        let mut alone = object.clone();
        let signatures = alone.get("signatures")?.as_object()?.get(keys.server_name.as_str())?.as_object()?;
        let signature = signatures.get(id.as_str())?.clone();
        let of_server = CanonicalJsonObject::from([(id.to_string(), signature)]);
        let all = CanonicalJsonObject::from([(keys.server_name.to_string(), of_server.into())]);
        alone.insert("signatures".to_owned(), CanonicalJsonValue::Object(all));
        let set = PublicKeySet::from([(id.to_string(), Base64::new(key.key.as_bytes().to_vec()))]);
        let map: PublicKeyMap = BTreeMap::from([(keys.server_name.to_string(), set)]);
        verify_json(&map, &alone).ok()?;
    }
    Some(keys)
}
