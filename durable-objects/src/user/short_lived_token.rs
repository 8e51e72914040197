//! Tokens that a client hands on to others: to prove who the user is, or to log another device in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::OwnedUserId;

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{CheckOpenIdToken, IssueLoginToken, IssueOpenIdToken, IssuedToken, LogInWithToken, LoggedIn},
    user_token::{TokenKind, digest},
};

/// How long an OpenID token is valid, in milliseconds.
const OPEN_ID_LIFETIME_MS: u64 = 60 * 60 * 1000;
/// How long a login token is valid, in milliseconds.
const LOGIN_LIFETIME_MS: u64 = 2 * 60 * 1000;
/// How many are kept; the oldest go first.
const MAX_TOKENS: u64 = 100;

const FORGET_EXPIRED: &str = "DELETE FROM short_lived_token WHERE expires_ts <= ?";
const FORGET_OLDEST: &str = "DELETE FROM short_lived_token WHERE hash IN
    (SELECT hash FROM short_lived_token ORDER BY expires_ts DESC LIMIT -1 OFFSET ?)";
const FORGET_ALL: &str = "DELETE FROM short_lived_token";
const INSERT: &str = "INSERT INTO short_lived_token (hash, expires_ts) VALUES (?, ?)";
const VALID: &str = "SELECT 1 FROM short_lived_token WHERE hash = ? AND expires_ts > ?";
const TAKE: &str = "DELETE FROM short_lived_token WHERE hash = ? AND expires_ts > ? RETURNING 1";

impl UserEngine {
    pub(super) fn issue_open_id_token(&self, _: IssueOpenIdToken) -> Result<IssuedToken, MatrixError> {
        self.issue(TokenKind::OpenId, OPEN_ID_LIFETIME_MS)
    }

    pub(super) fn issue_login_token(&self, _: IssueLoginToken) -> Result<IssuedToken, MatrixError> {
        self.issue(TokenKind::Login, LOGIN_LIFETIME_MS)
    }

    fn issue(&self, kind: TokenKind, expires_in_ms: u64) -> Result<IssuedToken, MatrixError> {
        let (db, platform) = (self.runtime.db.as_ref(), self.runtime.platform.as_ref());
        let token = kind.mint(platform, &self.runtime.name);
        let now = platform.now();
        db.transaction(|| {
            db.execute(FORGET_EXPIRED, params![now])?;
            db.execute(FORGET_OLDEST, params![MAX_TOKENS.saturating_sub(1)])?;
            db.execute(INSERT, params![&digest(&token), now.saturating_add(expires_in_ms)])
        })?;
        Ok(IssuedToken { token, expires_in_ms })
    }

    pub(super) fn check_open_id_token(
        &self,
        command: CheckOpenIdToken,
    ) -> Result<Option<OwnedUserId>, MatrixError> {
        let Ok(hash) = URL_SAFE_NO_PAD.decode(&command.token_hash) else { return Ok(None) };
        if self.account()?.is_none_or(|account| account.is_deactivated || account.is_locked) {
            return Ok(None);
        }
        let now = self.runtime.platform.now();
        let valid = self.runtime.db.query_first(VALID, params![&hash, now], |_| Ok(()))?;
        valid.map(|()| self.user_id()).transpose()
    }

    /// Takes back what was handed on, with the sessions that handed it on. In a transaction of the caller.
    pub(super) fn forget_short_lived_tokens(&self) -> Result<(), DatabaseError> {
        self.runtime.db.execute(FORGET_ALL, params![])
    }

    pub(super) fn log_in_with_token(&self, command: LogInWithToken) -> Result<LoggedIn, MatrixError> {
        let invalid = || MatrixError::forbidden("Invalid login token");
        let hash = URL_SAFE_NO_PAD.decode(&command.token_hash).map_err(|_| invalid())?;
        let now = self.runtime.platform.now();
        self.runtime.db.query_first(TAKE, params![&hash, now], |_| Ok(()))?.ok_or_else(invalid)?;
        self.log_in(&command.login)
    }
}
