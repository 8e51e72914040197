//! The server that a room lets judge its events before they are shown. [S-S, policy servers]

#[cfg(test)]
mod tests;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ruma::{
    OwnedServerName, events::room::policy::POLICY_SERVER_ED25519_SIGNING_KEY_ID,
    room_version_rules::RedactionRules,
};

use crate::{
    event::{Pdu, is_event_signed, signatures_of},
    json::Value,
};

/// The type of the state event that names a room's policy server.
pub const POLICY_TYPE: &str = "m.room.policy";
/// The id of the key by which policy servers sign.
pub const POLICY_KEY_ID: &str = POLICY_SERVER_ED25519_SIGNING_KEY_ID;

/// The URL-safe alphabet, in which the specification's own examples write keys.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The policy server that an `m.room.policy` names. The room uses it while any of that server's users is joined,
/// which is for the caller to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyServer {
    /// Its name.
    pub name: OwnedServerName,
    /// The public key by which it signs; empty for one that is not base64, by which nothing is signed.
    key: Vec<u8>,
}

impl PolicyServer {
    /// Reads an `m.room.policy`; `None` for one that is not valid, which is as if there were none.
    pub fn new(event: &Pdu) -> Option<Self> {
        let content = event.content_object();
        let name = OwnedServerName::try_from(&*content.get("via")?.as_str()?).ok()?;
        let key = content.get("public_keys").and_then(Value::as_object)?.get("ed25519")?.as_str()?;
        let key = decode(&key).unwrap_or_default();
        Some(Self { name, key })
    }

    /// Whether the event bears the policy server's signature, or is one that it is not asked for.
    pub fn recommends(&self, event: &Pdu, rules: &RedactionRules) -> bool {
        if is_exempt(event.event_type(), event.state_key()) {
            return true;
        }
        let signatures = signatures_of(event, &self.name);
        let own = signatures.iter().find(|check| check.key_id.as_str() == POLICY_KEY_ID);
        own.is_some_and(|own| is_event_signed(&self.key, &own.signature, event, rules))
    }

    /// The event with the signature that the policy server gave for it; `None` when that is not its signature, or
    /// makes the event too large.
    pub fn add_signature(&self, event: &Pdu, signature: &str, rules: &RedactionRules) -> Option<Pdu> {
        let signed = event.with_signature(&self.name, POLICY_KEY_ID, &decode(signature)?).ok()?;
        self.recommends(&signed, rules).then_some(signed)
    }
}

/// Whether an event goes into the room without the policy server's word: the one by which a room chooses another, or
/// none any more.
pub fn is_exempt(event_type: &str, state_key: Option<&str>) -> bool {
    event_type == POLICY_TYPE && state_key == Some("")
}

/// Decodes unpadded base64 of either alphabet.
fn decode(text: &str) -> Option<Vec<u8>> {
    crate::event::decode_base64(text).or_else(|| URL_SAFE.decode(text).ok())
}
