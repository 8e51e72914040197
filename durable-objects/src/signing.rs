//! The server's signing key, as actors and the edge use it.

use std::{cell::RefCell, rc::Rc};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ruma::signatures::Ed25519KeyPair;
use sha2::Sha256;

use crate::{
    matrix_error::MatrixError,
    platform::Platform,
    rpc::{
        self,
        directory::{GetSigningKeys, OldVerifyKey},
    },
};

/// The server's keys, ready for use.
pub struct ServerKeys {
    /// The key that signs now.
    pub pair: Ed25519KeyPair,
    /// Keys that signed before, for publication.
    pub old: Vec<OldVerifyKey>,
    seed: Vec<u8>,
}

impl ServerKeys {
    /// HMAC-SHA256 of `message` under a key of this server that serves `purpose` alone: for what is
    /// handed out and must come back unchanged.
    pub fn seal(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        hmac_sha256(&hmac_sha256(&self.seed, purpose.as_bytes()), message)
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

thread_local! {
    static KEYS: RefCell<Option<Rc<ServerKeys>>> = const { RefCell::new(None) };
}

/// The server's keys: asked of the `Directory` once per isolate.
pub async fn server_keys(platform: &dyn Platform) -> Result<Rc<ServerKeys>, MatrixError> {
    if let Some(keys) = KEYS.with_borrow(Clone::clone) {
        return Ok(keys);
    }
    let reply = rpc::call(platform, &(), &GetSigningKeys {}).await?;
    let seed = STANDARD_NO_PAD.decode(&reply.seed).unwrap_or_default();
    let pair =
        key_pair(&seed, reply.version).ok_or_else(|| MatrixError::internal("The signing key is broken"))?;
    let keys = Rc::new(ServerKeys { pair, old: reply.old, seed });
    KEYS.set(Some(Rc::clone(&keys)));
    Ok(keys)
}

/// The key pair of a 32-byte seed; `None` for one of another length.
pub fn key_pair(seed: &[u8], version: String) -> Option<Ed25519KeyPair> {
    /// PKCS#8 version 1 of an Ed25519 key, up to the seed [RFC 8410 §7].
    const PKCS8_PREFIX: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    if seed.len() != 32 {
        return None;
    }
    Ed25519KeyPair::from_der(&[&PKCS8_PREFIX, seed].concat(), version).ok()
}
