//! Content hash and reference hash. [S-S §26.1, §26.2]

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD, prelude::BASE64_URL_SAFE_NO_PAD};
use ruma::room_version_rules::{EventIdFormatVersion, RedactionRules, RoomVersionRules};
use sha2::{Digest, Sha256};

use super::redaction::{redact, without};
use crate::json::Object;

/// The SHA-256 of the event without `hashes`, `signatures` and `unsigned`: covers everything that its server sent.
pub fn content_hash(event: Object<'_>) -> [u8; 32] {
    Sha256::digest(without(event, &["hashes", "signatures", "unsigned"])).into()
}

/// The SHA-256 of the redacted event without `signatures` and `unsigned`: names the event for ever.
pub fn reference_hash(event: Object<'_>, rules: &RedactionRules) -> [u8; 32] {
    Sha256::digest(redact(event, rules, &["signatures", "unsigned"])).into()
}

/// The reference hash in the alphabet of the room version's event ids.
pub(super) fn encode_reference_hash(hash: [u8; 32], rules: &RoomVersionRules) -> String {
    match rules.event_id_format {
        EventIdFormatVersion::V1 | EventIdFormatVersion::V2 => BASE64_STANDARD_NO_PAD.encode(hash),
        _ => BASE64_URL_SAFE_NO_PAD.encode(hash),
    }
}
