//! Signatures and hashes of events from other servers, checked where no room waits for it.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::room_version_rules::RoomVersionRules;
use selvedge_protocol::event::{
    ParseError, Pdu, SignatureCheck, SignatureOutcome, Verification, VerificationError, VerifiedPdu,
};

use super::verify_keys::verify_key;
use crate::{
    concurrent::{ALL, each},
    crypto,
    platform::Platform,
};

/// How many events are verified at the same time.
const CONCURRENCY: usize = 64;

/// An event of another server is not what it claims to be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PduError {
    /// It does not have the form of an event of its room version.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// It is not signed as it must be.
    #[error(transparent)]
    Unsigned(#[from] VerificationError),
}

/// Parses an event and verifies it `[S-S §5.1.1, steps 1 to 3]`.
pub async fn verify_pdu(
    platform: &dyn Platform,
    json: &str,
    rules: &RoomVersionRules,
) -> Result<VerifiedPdu, PduError> {
    verify_parsed(platform, Pdu::parse(json, rules)?, rules).await
}

/// Verifies an event that has the right form.
pub async fn verify_parsed(
    platform: &dyn Platform,
    pdu: Pdu,
    rules: &RoomVersionRules,
) -> Result<VerifiedPdu, PduError> {
    let verification = Verification::new(pdu, rules)?;
    let outcomes = each(ALL, verification.checks(), |check| outcome(platform, &verification, check)).await;
    Ok(verification.finish(&outcomes)?)
}

/// Verifies many events at once; each stands or falls alone.
pub async fn verify_pdus<'j>(
    platform: &dyn Platform,
    events: impl IntoIterator<Item = &'j str>,
    rules: &RoomVersionRules,
) -> Vec<Result<VerifiedPdu, PduError>> {
    each(CONCURRENCY, events, |json| verify_pdu(platform, json, rules)).await
}

async fn outcome(
    platform: &dyn Platform,
    verification: &Verification,
    check: &SignatureCheck,
) -> SignatureOutcome {
    let valid_at = verification.keys_valid_at().map_or(0, |time| time.0.into());
    let key = verify_key(platform, &check.server, &check.key_id, valid_at).await;
    let key = match key {
        Ok(Some(key)) => STANDARD_NO_PAD.decode(key.public_key.trim_end_matches('=')).unwrap_or_default(),
        Ok(None) => return SignatureOutcome::UnknownKey,
        Err(error) => {
            crate::log::warn("federation", &format!("no keys of {}: {}", check.server, error.message));
            return SignatureOutcome::UnknownKey;
        }
    };
    if crypto::is_signed(&key, &check.signature, verification.message()).await {
        SignatureOutcome::Valid
    } else {
        SignatureOutcome::Wrong
    }
}
