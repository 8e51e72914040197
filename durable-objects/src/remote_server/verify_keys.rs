//! A server's signing keys: asked for, checked, kept `[S-S §3.1]`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use futures_util::lock::Mutex;
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, MilliSecondsSinceUnixEpoch, ServerName, UInt,
    api::federation::discovery::{ServerSigningKeys, get_remote_server_keys, get_server_keys},
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

/// How long a server whose keys could not be had is left alone, in milliseconds: doubled with each failure.
const FIRST_PAUSE: u64 = 2_000;
/// At most so long.
const LAST_PAUSE: u64 = 10 * 60_000;

/// What is known in memory of questions for keys.
#[derive(Default)]
pub(super) struct KeyQuestions {
    turn: Mutex<()>,
    failures: Cell<u32>,
    /// Until when the last failure stands, and what it was.
    failed: RefCell<Option<(u64, MatrixError)>>,
}

impl KeyQuestions {
    fn refusal(&self, now: u64) -> Option<MatrixError> {
        let failed = self.failed.borrow();
        failed.as_ref().filter(|(until, _)| *until > now).map(|(_, error)| error.clone())
    }

    fn note_failure(&self, now: u64, error: &MatrixError) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.get().min(16)).min(LAST_PAUSE);
        self.failures.set(self.failures.get().saturating_add(1));
        *self.failed.borrow_mut() = Some((now.saturating_add(pause), error.clone()));
    }
}

impl RemoteServerEngine {
    /// Known keys, after asking the server when they do not do.
    pub(super) async fn get_verify_keys(&self, command: GetVerifyKeys) -> Result<VerifyKeys, MatrixError> {
        let does = |known: &VerifyKeys| {
            let valid = |key: &VerifyKey| key.valid_until_ts >= command.valid_at;
            let known_and_valid = |id| known.keys.get(id).is_some_and(valid);
            known.response.is_some()
                && known.keys.values().any(valid)
                && command.wanted.iter().all(known_and_valid)
        };
        let (stored, _) = self.stored_keys()?;
        if does(&stored) {
            return Ok(stored);
        }
        // One question at a time: thousands of events may want the same key.
        let _turn = self.keys.turn.lock().await;
        let (stored, fetched_ts) = self.stored_keys()?;
        let now = self.runtime.platform.now();
        let asked_lately = fetched_ts.is_some_and(|fetched| now.saturating_sub(fetched) < MIN_INTERVAL);
        if does(&stored) || asked_lately {
            return Ok(stored);
        }
        let failed = match self.keys.refusal(now) {
            Some(failed) => failed,
            None => match self.refresh_keys(now).await {
                Ok(()) => {
                    self.keys.failures.set(0);
                    return Ok(self.stored_keys()?.0);
                }
                Err(error) => {
                    self.keys.note_failure(now, &error);
                    error
                }
            },
        };
        if stored.keys.is_empty() { Err(failed) } else { Ok(stored) }
    }

    /// Asks the server, and where it does not answer, those that are trusted to know its keys `[S-S §3.1.2]`.
    async fn refresh_keys(&self, now: u64) -> Result<(), MatrixError> {
        let error = match self.fetch_keys(now).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let config = self.runtime.platform.config();
        let name = self.server_name()?;
        for notary in config.key_notaries.iter().filter(|notary| **notary != name) {
            match self.fetch_keys_of_notary(notary, now).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => crate::log::warn("keys", &format!("{notary}: {error}")),
            }
        }
        Err(error)
    }

    /// Whether a notary knew keys of the server that are still valid.
    async fn fetch_keys_of_notary(&self, notary: &ServerName, now: u64) -> Result<bool, MatrixError> {
        let name = self.server_name()?;
        let platform = self.runtime.platform.as_ref();
        let resolution = federation::resolve(platform, notary).await?;
        let valid = MilliSecondsSinceUnixEpoch(UInt::try_from(now).unwrap_or(UInt::MAX));
        let request = get_remote_server_keys::v2::Request::new(name.clone(), valid);
        let answer = federation::send_unsigned(platform, &resolution, request).await?;
        for keys in &answer.server_keys {
            let json = keys.json().get();
            if let Some(keys) = check_response(json, now).filter(|keys| keys.server_name == name) {
                self.store_keys(keys, json, now)?;
                return Ok(true);
            }
        }
        Ok(false)
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
        self.store_keys(keys, json, now)
    }

    fn store_keys(&self, keys: ServerSigningKeys, json: &str, now: u64) -> Result<(), MatrixError> {
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
