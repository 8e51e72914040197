//! Password hashing: argon2id.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash,
};
use ruma::api::error::ErrorCode;

use crate::{
    matrix_error::MatrixError,
    platform::{Platform, random},
};

/// Memory in KiB, and passes: OWASP's recommendation that fits an actor's 128 MB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// The longest accepted password, in bytes.
const MAX_LENGTH: usize = 512;

/// Refuses passwords of less than `min_length` characters (`M_WEAK_PASSWORD`), or absurdly long.
pub(super) fn check_new(min_length: usize, password: &str) -> Result<(), MatrixError> {
    // None is no secret, whatever the setting says.
    let min_length = min_length.max(1);
    if password.chars().count() < min_length {
        let text = format!("A password has at least {min_length} characters");
        return Err(MatrixError::new(400, ErrorCode::WeakPassword, text));
    }
    if password.len() > MAX_LENGTH {
        return Err(MatrixError::invalid_param(format!("A password has at most {MAX_LENGTH} bytes")));
    }
    Ok(())
}

/// The PHC string to store for `password`.
pub(super) fn hash(platform: &dyn Platform, password: &str) -> Result<String, MatrixError> {
    let failed = |_| MatrixError::internal("Password hashing failed");
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)
        .map_err(|_| MatrixError::internal("Password hashing failed"))?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = random::<16>(platform);
    let hash: PasswordHash = hasher.hash_password_with_salt(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether `password` is the one that `stored` was made of. Takes the parameters from `stored`.
pub(super) fn is_correct(password: &str, stored: &str) -> bool {
    password.len() <= MAX_LENGTH
        && PasswordHash::new(stored)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}
