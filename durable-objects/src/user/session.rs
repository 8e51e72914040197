//! Sessions: logging in and out, the tokens of devices, and who a token belongs to.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    UserEngine,
    account::{deactivated, locked},
    password,
};
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rate_limit::{Bucket, Quota},
    rpc::user::{
        AccountKind, Authenticate, AuthenticateSender, Authenticated, CheckPassword, LogInWithPassword,
        LogOut, LoggedIn, NewLogin, RefreshTokens,
    },
    user_token::{TokenKind, digest},
};

/// How long the access token of a client lives that can refresh it, in milliseconds.
const ACCESS_TOKEN_LIFETIME_MS: u64 = 60 * 60 * 1000;
/// After which time, in milliseconds, it is written down that a device was seen again.
const SEEN_INTERVAL_MS: u64 = 60 * 60 * 1000;
/// Wrong passwords for one account.
const WRONG_PASSWORDS: Quota = Quota::new(10, 20_000);
/// What a user sends to others. Counted in memory: an actor that is busy stays there.
const SENDING: Quota = Quota::new(100, 100);

const BY_ACCESS: &str = "SELECT s.device_id, s.expires_ts, s.replaces, d.last_seen_ts
    FROM session s JOIN device d USING (device_id) WHERE s.access_hash = ?";
const BY_REFRESH: &str = "SELECT access_hash, device_id, replaces FROM session WHERE refresh_hash = ?";
const INSERT: &str = "INSERT INTO session (access_hash, device_id, expires_ts, refresh_hash, replaces)
    VALUES (?, ?, ?, ?, ?)";
const DELETE: &str = "DELETE FROM session WHERE access_hash = ?";
const DELETE_OF_DEVICE: &str = "DELETE FROM session WHERE device_id = ?";
const DELETE_UNUSED: &str = "DELETE FROM session WHERE replaces = ?";
const SETTLE: &str = "UPDATE session SET replaces = NULL WHERE access_hash = ?";
const CREDENTIALS: &str = "SELECT password_hash, failed_log_ins FROM account";
const SET_FAILED: &str = "UPDATE account SET failed_log_ins = ?";

/// A session found by its access token.
struct Session {
    device_id: String,
    expires_ts: Option<u64>,
    replaces: Option<Vec<u8>>,
    last_seen_ts: u64,
}

/// `M_UNKNOWN_TOKEN` `[C-S §5.5]`.
pub(super) fn unknown_token(soft_logout: bool) -> MatrixError {
    MatrixError::unknown_token("Unknown or expired token").with("soft_logout", json!(soft_logout))
}

/// `M_FORBIDDEN` for a log-in: says nothing of whether the account exists.
pub(super) fn wrong_password() -> MatrixError {
    MatrixError::forbidden("Wrong user name or password")
}

fn decode(hash: &str) -> Result<Vec<u8>, MatrixError> {
    URL_SAFE_NO_PAD.decode(hash).map_err(|_| unknown_token(false))
}

impl UserEngine {
    /// Whose token it is. Part of every command that a client's request comes in as.
    pub(super) fn authenticate(&self, command: Authenticate) -> Result<Authenticated, MatrixError> {
        let hash = decode(&command.token_hash)?;
        let session = self.session(&hash)?.ok_or_else(|| unknown_token(false))?;
        let account = self.account()?.ok_or_else(|| unknown_token(false))?;
        if account.is_locked {
            return Err(locked());
        }
        let now = self.runtime.platform.now();
        if session.expires_ts.is_some_and(|expires| expires <= now) {
            return Err(unknown_token(true));
        }
        self.settle(&hash, session.replaces.as_deref())?;
        if now.saturating_sub(session.last_seen_ts) >= SEEN_INTERVAL_MS {
            self.saw_device(&session.device_id, &command.address, &command.user_agent)?;
        }
        Ok(Authenticated {
            user_id: self.user_id()?,
            device_id: session.device_id.into(),
            is_guest: account.kind == AccountKind::Guest,
            is_admin: account.is_admin,
            is_suspended: account.is_suspended,
        })
    }

    pub(super) fn authenticate_sender(
        &self,
        command: AuthenticateSender,
    ) -> Result<Authenticated, MatrixError> {
        let sender = self.authenticate(command.credentials)?;
        let platform = self.runtime.platform.as_ref();
        if platform.config().rate_limits {
            let (bucket, now) = (self.sending.get(), platform.now());
            let wait = SENDING.wait(bucket, now);
            if wait > 0 {
                return Err(MatrixError::limit_exceeded(wait));
            }
            self.sending.set(SENDING.charge(bucket, now));
        }
        self.was_active()?;
        Ok(sender)
    }

    /// `M_UNKNOWN_TOKEN` unless this is the hash of one of the user's access tokens.
    pub(super) fn check_token(&self, token_hash: &str) -> Result<(), MatrixError> {
        self.session(&decode(token_hash)?)?.map(|_| ()).ok_or_else(|| unknown_token(false))
    }

    fn session(&self, access_hash: &[u8]) -> Result<Option<Session>, DatabaseError> {
        self.runtime.db.query_first(BY_ACCESS, params![access_hash], |row| {
            Ok(Session {
                device_id: row.get(0)?,
                expires_ts: row.get(1)?,
                replaces: row.get(2)?,
                last_seen_ts: row.get(3)?,
            })
        })
    }

    /// A session was used: what it was refreshed from is no longer valid `[C-S §5.4]`.
    fn settle(&self, access_hash: &[u8], replaces: Option<&[u8]>) -> Result<(), DatabaseError> {
        let Some(replaced) = replaces else { return Ok(()) };
        let db = self.runtime.db.as_ref();
        db.transaction(|| {
            db.execute(DELETE, params![replaced])?;
            db.execute(SETTLE, params![access_hash])
        })
    }

    pub(super) fn log_in_with_password(&self, command: LogInWithPassword) -> Result<LoggedIn, MatrixError> {
        self.verify_password(&command.password)?;
        self.log_in(&command.login)
    }

    /// Logs a device in, after its user has been proven by whatever means.
    pub(super) fn log_in(&self, login: &NewLogin) -> Result<LoggedIn, MatrixError> {
        let account = self.account()?.ok_or_else(|| MatrixError::forbidden("No such account"))?;
        if account.is_deactivated {
            return Err(deactivated());
        }
        if account.is_locked {
            return Err(locked());
        }
        self.runtime.db.transaction(|| self.start_session(login))
    }

    pub(super) fn check_password(&self, command: CheckPassword) -> Result<(), MatrixError> {
        self.verify_password(&command.password)
    }

    /// Whether `password` is the account's. `M_FORBIDDEN` when not, or when there is no account;
    /// `M_LIMIT_EXCEEDED` after too many wrong ones, `M_USER_DEACTIVATED`.
    pub(super) fn verify_password(&self, password: &str) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        let (stored, failed): (Option<String>, u64) = db
            .query_first(CREDENTIALS, params![], |row| Ok((row.get(0)?, row.get(1)?)))?
            .ok_or_else(wrong_password)?;
        if self.account()?.is_some_and(|account| account.is_deactivated) {
            return Err(deactivated());
        }
        let (bucket, now) = (Bucket(failed), self.runtime.platform.now());
        let limited = self.runtime.platform.config().rate_limits;
        let wait = WRONG_PASSWORDS.wait(bucket, now);
        if limited && wait > 0 {
            return Err(MatrixError::limit_exceeded(wait));
        }
        if stored.is_some_and(|stored| password::is_correct(password, &stored)) {
            return Ok(());
        }
        if limited {
            db.execute(SET_FAILED, params![WRONG_PASSWORDS.charge(bucket, now).0])?;
        }
        Err(wrong_password())
    }

    /// Makes the device, or takes the one asked for over, and gives it tokens. In a transaction of the caller.
    pub(super) fn start_session(&self, login: &NewLogin) -> Result<LoggedIn, MatrixError> {
        let device_id = self.ensure_device(login)?;
        self.runtime.db.execute(DELETE_OF_DEVICE, params![device_id.as_str()])?;
        self.issue_tokens(device_id.as_str(), login.refresh_token, None)
    }

    fn issue_tokens(
        &self,
        device_id: &str,
        refreshable: bool,
        replaces: Option<&[u8]>,
    ) -> Result<LoggedIn, MatrixError> {
        let (db, platform) = (self.runtime.db.as_ref(), self.runtime.platform.as_ref());
        let mint = |kind: TokenKind| kind.mint(platform, &self.runtime.name);
        let access_token = mint(TokenKind::Access);
        let refresh_token = refreshable.then(|| mint(TokenKind::Refresh));
        let expires_in_ms = refreshable.then_some(ACCESS_TOKEN_LIFETIME_MS);
        let expires_ts = expires_in_ms.map(|lifetime| platform.now().saturating_add(lifetime));
        let refresh_hash = refresh_token.as_deref().map(digest);
        db.execute(
            INSERT,
            params![&digest(&access_token), device_id, expires_ts, refresh_hash.as_ref(), replaces],
        )?;
        Ok(LoggedIn {
            user_id: self.user_id()?,
            device_id: device_id.into(),
            access_token,
            refresh_token,
            expires_in_ms,
        })
    }

    pub(super) fn refresh_tokens(&self, command: RefreshTokens) -> Result<LoggedIn, MatrixError> {
        let refresh_hash = decode(&command.token_hash)?;
        let db = self.runtime.db.as_ref();
        let found = db.query_first(BY_REFRESH, params![&refresh_hash], |row| {
            Ok((row.get::<Vec<u8>>(0)?, row.get::<String>(1)?, row.get::<Option<Vec<u8>>>(2)?))
        })?;
        let (access_hash, device_id, replaces) = found.ok_or_else(|| unknown_token(false))?;
        if self.account()?.is_some_and(|account| account.is_locked) {
            return Err(locked());
        }
        self.settle(&access_hash, replaces.as_deref())?;
        db.transaction(|| {
            // An earlier answer to the same refresh was lost if its tokens were never used.
            db.execute(DELETE_UNUSED, params![&access_hash])?;
            self.issue_tokens(&device_id, true, Some(&access_hash))
        })
    }

    pub(super) fn log_out(&self, command: LogOut) -> Result<(), MatrixError> {
        let session = self.session(&decode(&command.token_hash)?)?.ok_or_else(|| unknown_token(false))?;
        let devices = if command.everywhere { self.device_ids()? } else { vec![session.device_id] };
        self.runtime.db.transaction(|| {
            if command.everywhere {
                self.forget_short_lived_tokens()?;
            }
            self.remove_devices(&devices)
        })
    }
}
