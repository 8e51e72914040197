//! Other servers' keys, remembered per isolate.

use std::cell::RefCell;

use ruma::{OwnedServerName, OwnedServerSigningKeyId, ServerName};

use crate::{
    matrix_error::MatrixError,
    platform::Platform,
    rpc::{
        self,
        remote_server::{GetVerifyKeys, VerifyKey, VerifyKeys},
    },
    signing::server_keys,
    sorted::SortedMap,
};

/// How many servers' keys an isolate remembers.
const MAX_CACHED: usize = 1000;

/// How long it is remembered that a key cannot be had, in milliseconds.
const MISSING_MS: u64 = 2_000;

/// A key and until when it counts as one that cannot be had.
type MissingKey = (OwnedServerSigningKeyId, u64);

thread_local! {
    static MISSING: RefCell<SortedMap<OwnedServerName, MissingKey>> = const { RefCell::new(SortedMap::new()) };
    static KEYS: RefCell<SortedMap<OwnedServerName, VerifyKeys>> = const { RefCell::new(SortedMap::new()) };
}

/// The key `id` of `server`, if it is known to be valid at `valid_at` (milliseconds since the
/// epoch): remembered, else asked of the server's actor. Also answers for this server's own keys.
pub async fn verify_key(
    platform: &dyn Platform,
    server: &ServerName,
    id: &OwnedServerSigningKeyId,
    valid_at: u64,
) -> Result<Option<VerifyKey>, MatrixError> {
    if *server == platform.config().server_name {
        return own_key(platform, id).await;
    }
    let known = |keys: &VerifyKeys| keys.keys.get(id).filter(|key| key.valid_until_ts >= valid_at).cloned();
    if let Some(key) = KEYS.with_borrow(|all| all.get(server).and_then(known)) {
        return Ok(Some(key));
    }
    let now = platform.now();
    if MISSING
        .with_borrow(|all| all.get(server).is_some_and(|(missing, until)| missing == id && *until > now))
    {
        return Ok(None);
    }
    let command = GetVerifyKeys { wanted: vec![id.clone()], valid_at };
    let answer = rpc::call(platform, &server.to_owned(), &command).await;
    let key = answer.as_ref().ok().and_then(known);
    if key.is_none() {
        let missing = (id.clone(), now.saturating_add(MISSING_MS));
        MISSING.with_borrow_mut(|all| all.remember(MAX_CACHED, server.to_owned(), missing));
    }
    let keys = VerifyKeys { response: None, ..answer? };
    KEYS.with_borrow_mut(|all| all.remember(MAX_CACHED, server.to_owned(), keys));
    Ok(key)
}

async fn own_key(
    platform: &dyn Platform,
    id: &OwnedServerSigningKeyId,
) -> Result<Option<VerifyKey>, MatrixError> {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    let keys = server_keys(platform).await?;
    let version = id.key_name().as_str();
    if version == keys.pair.version() {
        let public_key = STANDARD_NO_PAD.encode(keys.pair.public_key());
        return Ok(Some(VerifyKey { public_key, valid_until_ts: u64::MAX, is_old: false }));
    }
    Ok(keys.old.iter().find(|old| old.version == version).map(|old| VerifyKey {
        public_key: old.public.clone(),
        valid_until_ts: old.expired_ts,
        is_old: true,
    }))
}
