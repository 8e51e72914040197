//! The server's signing keys: made at first use, or given as a secret by who moves a domain here.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::DirectoryEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    platform::random,
    rpc::directory::{GetSigningKeys, OldVerifyKey, SigningKeys},
    signing::key_pair,
};

const CURRENT: &str = "SELECT version, seed FROM signing_key WHERE expired_ts IS NULL";
const OLD: &str = "SELECT version, seed, expired_ts FROM signing_key WHERE expired_ts IS NOT NULL";
const INSERT: &str = "INSERT INTO signing_key (version, seed, created_ts) VALUES (?, ?, ?)
    ON CONFLICT (version) DO UPDATE SET seed = excluded.seed, expired_ts = NULL";
const EXPIRE: &str = "UPDATE signing_key SET expired_ts = ? WHERE expired_ts IS NULL";

impl DirectoryEngine {
    /// The keys; the signing one is the configured one, else the stored one, else a new one.
    pub(super) fn get_signing_keys(&self, _: GetSigningKeys) -> Result<SigningKeys, MatrixError> {
        let db = self.runtime.db.as_ref();
        let stored =
            db.query_first(CURRENT, params![], |row| Ok((row.get::<String>(0)?, row.get::<Vec<u8>>(1)?)))?;
        let configured =
            self.runtime.platform.config().signing_key.as_deref().map(parse_key_file).transpose()?;
        let current = match (stored, configured) {
            (Some(stored), Some(configured)) if stored != configured => self.replace(configured)?,
            (Some(stored), _) => stored,
            (None, Some(configured)) => self.replace(configured)?,
            (None, None) => self.replace(self.generate())?,
        };
        let old = db.query(OLD, params![], |row| {
            let (version, seed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
            Ok(OldVerifyKey { version, public: public_key(&seed)?, expired_ts: row.get(2)? })
        })?;
        let (version, seed) = current;
        Ok(SigningKeys { seed: STANDARD_NO_PAD.encode(seed), version, old })
    }

    fn generate(&self) -> (String, Vec<u8>) {
        let platform = self.runtime.platform.as_ref();
        let [a, b, c] = random::<3>(platform);
        (format!("a_{a:02x}{b:02x}{c:02x}"), random::<32>(platform).to_vec())
    }

    fn replace(&self, (version, seed): (String, Vec<u8>)) -> Result<(String, Vec<u8>), DatabaseError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        db.transaction(|| {
            db.execute(EXPIRE, params![now])?;
            db.execute(INSERT, params![&version, &seed, now])
        })?;
        Ok((version, seed))
    }
}

/// Parses the line of Synapse's key file: `ed25519 VERSION SEED`.
fn parse_key_file(line: &str) -> Result<(String, Vec<u8>), MatrixError> {
    let wrong = || MatrixError::internal("SIGNING_KEY must be one line: ed25519 VERSION BASE64_SEED");
    let mut words = line.split_whitespace();
    let (Some("ed25519"), Some(version), Some(seed), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(wrong());
    };
    let seed = STANDARD_NO_PAD.decode(seed.trim_end_matches('=')).map_err(|_| wrong())?;
    if seed.len() != 32
        || version.is_empty()
        || !version.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        return Err(wrong());
    }
    Ok((version.to_owned(), seed))
}

fn public_key(seed: &[u8]) -> Result<String, DatabaseError> {
    let pair = key_pair(seed, String::new())
        .ok_or_else(|| DatabaseError::corrupt("a signing key is not 32 bytes"))?;
    Ok(STANDARD_NO_PAD.encode(pair.public_key()))
}
