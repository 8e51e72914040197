//! Signatures and hashes of received events. [S-S §26.1, validating hashes and signatures on received events]
//!
//! What must be verified is separate from doing it: the edge has an asynchronous, faster Ed25519 than this crate.
//! [`Verification`] names the signatures to check and the bytes that they sign, the caller checks them, and
//! [`Verification::finish`] decides.

use std::ops::Deref;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedServerName, OwnedServerSigningKeyId, ServerName, SigningKeyAlgorithm,
    UserId,
    room_version_rules::{RedactionRules, RoomVersionRules},
    signatures,
};
use thiserror::Error;

use super::{
    Pdu, content_hash,
    redaction::{redact, without},
};
use crate::{
    json::{Object, Value},
    policy_server::POLICY_KEY_ID,
};

/// Standard alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Why an event is not validly signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerificationError {
    /// An identifier that says who must have signed is malformed.
    #[error("cannot tell who must have signed: `{0}` is malformed")]
    Identifier(&'static str),
    /// A server that must have signed has no signature that a known key could have made.
    #[error("no signature of {0} by a known key")]
    Unsigned(OwnedServerName),
    /// A signature by a known key is wrong.
    #[error("the signature of {0} by {1} is wrong")]
    WrongSignature(OwnedServerName, OwnedServerSigningKeyId),
}

/// A signature that must be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureCheck {
    /// Whose signature it is.
    pub server: OwnedServerName,
    /// The Ed25519 key that made it.
    pub key_id: OwnedServerSigningKeyId,
    /// Its bytes: 64, unless it is wrong in any case.
    pub signature: Vec<u8>,
}

/// What checking a signature gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureOutcome {
    /// The key made the signature.
    Valid,
    /// The key did not make the signature.
    Wrong,
    /// No such key is known that was valid at [`Verification::keys_valid_at`]; the signature is skipped.
    UnknownKey,
}

/// The checks that make an event a [`VerifiedPdu`].
#[derive(Debug)]
pub struct Verification {
    pdu: Pdu,
    redaction: RedactionRules,
    keys_valid_at: Option<MilliSecondsSinceUnixEpoch>,
    message: String,
    servers: Vec<OwnedServerName>,
    checks: Vec<SignatureCheck>,
}

impl Verification {
    /// Finds out what must be checked.
    ///
    /// # Errors
    ///
    /// When a server that must have signed has not.
    pub fn new(pdu: Pdu, rules: &RoomVersionRules) -> Result<Self, VerificationError> {
        let servers = required_servers(&pdu, rules)?;
        let mut checks = Vec::with_capacity(servers.len());
        for server in &servers {
            let known = checks.len();
            // A policy server signs by a key that servers do not publish: for these checks it does not exist.
            let signatures = signatures_of(&pdu, server).into_iter();
            checks.extend(signatures.filter(|check| check.key_id.as_str() != POLICY_KEY_ID));
            if checks.len() == known {
                return Err(VerificationError::Unsigned(server.clone()));
            }
        }
        Ok(Self {
            message: signed_bytes(&pdu, &rules.redaction),
            keys_valid_at: rules.enforce_key_validity.then(|| pdu.origin_server_ts()),
            redaction: rules.redaction.clone(),
            pdu,
            servers,
            checks,
        })
    }

    /// The event.
    pub fn pdu(&self) -> &Pdu {
        &self.pdu
    }

    /// The bytes that all signatures sign.
    pub fn message(&self) -> &[u8] {
        self.message.as_bytes()
    }

    /// The signatures to check.
    pub fn checks(&self) -> &[SignatureCheck] {
        &self.checks
    }

    /// When keys must have been valid: their `valid_until_ts`, or `expired_ts`, must not be before. Since room
    /// version 5; earlier, any key that the server ever had will do.
    pub fn keys_valid_at(&self) -> Option<MilliSecondsSinceUnixEpoch> {
        self.keys_valid_at
    }

    /// Decides, given the outcome of each of [`Self::checks`] in its order.
    ///
    /// Then checks the content hash. If that is wrong, the event stands for its redacted form.
    ///
    /// # Errors
    ///
    /// When a signature by a known key is wrong, or a server that must have signed has no valid signature.
    pub fn finish(self, outcomes: &[SignatureOutcome]) -> Result<VerifiedPdu, VerificationError> {
        let mut signed: Vec<&ServerName> = Vec::with_capacity(self.servers.len());
        for (check, outcome) in self.checks.iter().zip(outcomes) {
            match outcome {
                SignatureOutcome::Valid => signed.push(&check.server),
                SignatureOutcome::UnknownKey => {}
                SignatureOutcome::Wrong => {
                    return Err(VerificationError::WrongSignature(
                        check.server.clone(),
                        check.key_id.clone(),
                    ));
                }
            }
        }
        if let Some(server) = self.servers.iter().find(|server| !signed.contains(&&***server)) {
            return Err(VerificationError::Unsigned(server.clone()));
        }
        Ok(if has_right_hash(&self.pdu) {
            VerifiedPdu { pdu: self.pdu, content_lost: false }
        } else {
            VerifiedPdu { pdu: self.pdu.redacted(&self.redaction), content_lost: true }
        })
    }

    /// Checks the signatures here and now, by the public keys that `key` knows, and decides.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`].
    pub fn verify(
        self,
        mut key: impl FnMut(&SignatureCheck) -> Option<[u8; 32]>,
    ) -> Result<VerifiedPdu, VerificationError> {
        let outcomes: Vec<_> = self
            .checks
            .iter()
            .map(|check| match key(check) {
                None => SignatureOutcome::UnknownKey,
                Some(key) if is_signed(&key, &check.signature, self.message()) => SignatureOutcome::Valid,
                Some(_) => SignatureOutcome::Wrong,
            })
            .collect();
        self.finish(&outcomes)
    }
}

/// An event whose signatures were verified, and whose content is what its server hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPdu {
    pdu: Pdu,
    content_lost: bool,
}

impl VerifiedPdu {
    /// Takes the word of another part of this server that it verified the event: the edge, before it called a room.
    pub fn vouched_for(pdu: Pdu, content_lost: bool) -> Self {
        Self { pdu, content_lost }
    }

    /// Whether the content hash was wrong, so that this is the redacted form of what was received.
    pub fn content_lost(&self) -> bool {
        self.content_lost
    }

    /// The event.
    pub fn into_pdu(self) -> Pdu {
        self.pdu
    }
}

impl Deref for VerifiedPdu {
    type Target = Pdu;

    fn deref(&self) -> &Pdu {
        &self.pdu
    }
}

/// The bytes of an event that servers sign: its redacted form without `signatures` and `unsigned`.
pub fn signed_bytes(pdu: &Pdu, rules: &RedactionRules) -> String {
    redact(pdu.object(), rules, &["signatures", "unsigned"])
}

/// The Ed25519 signatures of one server on an event.
pub fn signatures_of(pdu: &Pdu, server: &ServerName) -> Vec<SignatureCheck> {
    let signatures = pdu.object().get("signatures").and_then(Value::as_object).unwrap_or_default();
    let of_server = signatures.get(server.as_str()).and_then(Value::as_object).unwrap_or_default();
    of_server
        .into_iter()
        .filter_map(|(key_id, signature)| {
            let key_id = OwnedServerSigningKeyId::try_from(&*key_id.name()).ok()?;
            let signature = signature.as_str()?;
            (key_id.algorithm() == SigningKeyAlgorithm::Ed25519).then(|| SignatureCheck {
                server: server.to_owned(),
                key_id,
                signature: BASE64.decode(&*signature).unwrap_or_default(),
            })
        })
        .collect()
}

/// The servers that must have signed an event.
///
/// # Errors
///
/// When an identifier that names one is malformed.
pub fn required_servers(
    pdu: &Pdu,
    rules: &RoomVersionRules,
) -> Result<Vec<OwnedServerName>, VerificationError> {
    let mut servers = Vec::with_capacity(1);
    let content = pdu.content_object();
    let is_member = pdu.event_type() == "m.room.member";
    // An invite by third-party identifier may be sent by any server, in the name of who made it.
    let third_party = is_member
        && content.get("third_party_invite").is_some()
        && pdu.content_str("membership").as_deref() == Some("invite");
    if !third_party {
        servers.push(pdu.sender().server_name().to_owned());
    }
    // Room versions 1 and 2: who made the event's id.
    if rules.signatures.check_event_id_server {
        let server = pdu.event_id().server_name().ok_or(VerificationError::Identifier("event_id"))?;
        servers.push(server.to_owned());
    }
    // Rule 5.2 of authorisation, since room version 8: who let the user into a restricted room.
    if rules.signatures.check_join_authorised_via_users_server
        && is_member
        && let Some(user) = content.get("join_authorised_via_users_server")
    {
        let malformed = VerificationError::Identifier("join_authorised_via_users_server");
        let user = user.as_str().ok_or_else(|| malformed.clone())?;
        servers.push(<&UserId>::try_from(&*user).map_err(|_| malformed)?.server_name().to_owned());
    }
    servers.sort_unstable();
    servers.dedup();
    Ok(servers)
}

/// Whether `hashes` holds the event's content hash.
pub fn has_right_hash(pdu: &Pdu) -> bool {
    let event = pdu.object();
    let hash =
        event.get("hashes").and_then(Value::as_object).and_then(|hashes| hashes.get("sha256")?.as_str());
    hash.and_then(|hash| BASE64.decode(&*hash).ok()).is_some_and(|hash| hash == content_hash(event))
}

/// Whether a key made a signature on an object, leaving out `signatures` and `unsigned`.
/// [appendices, checking for a signature]
pub fn is_object_signed(key: &[u8], signature: &[u8], object: Object<'_>) -> bool {
    is_signed(key, signature, without(object, &["signatures", "unsigned"]).as_bytes())
}

/// Whether a key made a signature on an event.
pub fn is_event_signed(key: &[u8], signature: &[u8], event: &Pdu, rules: &RedactionRules) -> bool {
    is_signed(key, signature, signed_bytes(event, rules).as_bytes())
}

fn is_signed(key: &[u8], signature: &[u8], message: &[u8]) -> bool {
    signatures::verify_canonical_json_bytes(&SigningKeyAlgorithm::Ed25519, key, signature, message).is_ok()
}

/// Decodes base64 of the standard alphabet as other servers write it.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}
