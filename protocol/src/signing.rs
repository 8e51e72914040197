//! Signing keys of servers, and signing what is not an event. [appendices, signing JSON]

use ruma::signatures::{Ed25519KeyPair, Ed25519KeyPairParseError};

pub use crate::event::sign_object;

/// The DER of a PKCS#8 private key before the 32 bytes of an Ed25519 seed.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The key pair of a seed; `version` is what follows `ed25519:` in the key's id.
///
/// # Errors
///
/// None that a seed can cause; ruma's parser decides.
pub fn key_pair(seed: &[u8; 32], version: String) -> Result<Ed25519KeyPair, Ed25519KeyPairParseError> {
    let document: Vec<u8> = PKCS8_PREFIX.iter().chain(seed).copied().collect();
    Ed25519KeyPair::from_der(&document, version)
}
