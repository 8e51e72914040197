//! Accounts, log-in and tokens.

use ruma::{OwnedDeviceId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// Kinds of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// A full account.
    User,
    /// A guest `[C-S §11.24]`.
    Guest,
}

/// Is there an account of this name? Never brings one into being.
#[derive(Debug, Serialize, Deserialize)]
pub struct AccountExists {}
command!(AccountExists to User -> bool);

/// Makes the account. The actor named by the localpart is the arbiter: of two attempts one gets
/// `M_USER_IN_USE`.
#[derive(Serialize, Deserialize)]
pub struct RegisterAccount {
    /// User or guest.
    pub kind: AccountKind,
    /// Without one, the account cannot log in by password.
    pub password: Option<String>,
    /// Whether it administers the server.
    pub is_admin: bool,
    /// The SHA-256 of the access token of the guest who becomes a full user, unpadded URL-safe base64.
    pub guest_token_hash: Option<String>,
    /// The first device to log in, if any.
    pub login: Option<NewLogin>,
}
command!(RegisterAccount to User -> Registered);

/// A new account.
#[derive(Serialize, Deserialize)]
pub struct Registered {
    /// Its user.
    pub user_id: OwnedUserId,
    /// The tokens of its first device, if one was to be logged in.
    pub login: Option<LoggedIn>,
}

/// What a client says about itself as it logs in.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NewLogin {
    /// A device to log in again, or the id for a new one; `None` has one made up.
    pub device_id: Option<OwnedDeviceId>,
    /// The display name, for a new device.
    pub initial_display_name: Option<String>,
    /// Whether the client can refresh its access token.
    pub refresh_token: bool,
    /// The client's address.
    pub address: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// Logs in by password. `M_FORBIDDEN` when it is wrong or there is no such account,
/// `M_USER_DEACTIVATED`, `M_LIMIT_EXCEEDED` after too many wrong ones.
#[derive(Serialize, Deserialize)]
pub struct LogInWithPassword {
    /// The password.
    pub password: String,
    /// The client.
    pub login: NewLogin,
}
command!(LogInWithPassword to User -> LoggedIn);

/// Is this the user's password? `M_FORBIDDEN` when not, `M_LIMIT_EXCEEDED` after too many wrong ones.
#[derive(Serialize, Deserialize)]
pub struct CheckPassword {
    /// The password.
    pub password: String,
}
command!(CheckPassword to User -> ());

/// A device that is logged in, with its tokens.
#[derive(Serialize, Deserialize)]
pub struct LoggedIn {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device.
    pub device_id: OwnedDeviceId,
    /// The access token.
    pub access_token: String,
    /// Obtains the next access token.
    pub refresh_token: Option<String>,
    /// How long the access token lives, in milliseconds; `None`: until log-out.
    pub expires_in_ms: Option<u64>,
}

/// Whose access token is this? `M_UNKNOWN_TOKEN` when it is nobody's or has expired (then with
/// `soft_logout`), `M_USER_LOCKED` when the account is locked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Authenticate {
    /// The token's SHA-256, unpadded URL-safe base64.
    pub token_hash: String,
    /// The address that the client uses now.
    pub address: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
}
command!(Authenticate to User -> Authenticated);

/// The same, for a request that sends something to others: they are counted. `M_LIMIT_EXCEEDED`.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuthenticateSender {
    /// The token.
    pub credentials: Authenticate,
}
command!(AuthenticateSender to User -> Authenticated);

/// The owner of a valid token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticated {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device that the token belongs to.
    pub device_id: OwnedDeviceId,
    /// Whether it is a guest account.
    pub is_guest: bool,
    /// Whether the user is an administrator.
    pub is_admin: bool,
    /// Whether the account is suspended: it may read, but not join, invite or send `[C-S §5.6.2]`.
    pub is_suspended: bool,
}

/// Trades a refresh token for new tokens `[C-S §5.4]`. `M_UNKNOWN_TOKEN` when it is not valid.
#[derive(Serialize, Deserialize)]
pub struct RefreshTokens {
    /// The refresh token's SHA-256, unpadded URL-safe base64.
    pub token_hash: String,
}
command!(RefreshTokens to User -> LoggedIn);

/// Logs out the device of an access token, expired or not, or all of them. Works for locked accounts.
#[derive(Debug, Serialize, Deserialize)]
pub struct LogOut {
    /// The access token's SHA-256, unpadded URL-safe base64.
    pub token_hash: String,
    /// Whether all of the user's devices go.
    pub everywhere: bool,
}
command!(LogOut to User -> ());

/// Changes the password, and logs out all devices but one if that is wanted.
#[derive(Serialize, Deserialize)]
pub struct ChangePassword {
    /// The new password.
    pub new_password: String,
    /// Whether devices are logged out: all but `keep`.
    pub log_out: bool,
    /// The device that asks.
    pub keep: Option<OwnedDeviceId>,
}
command!(ChangePassword to User -> ());

/// Closes the account for ever `[C-S §5.7.5]`: nobody can log in, and its name is never given again.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeactivateAccount {
    /// Whether all of the user's data that is not events goes, too.
    pub erase: bool,
}
command!(DeactivateAccount to User -> ());

/// The account; `None` when there is none. Never brings one into being.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetAccount {}
command!(GetAccount to User -> Option<Account>);

/// What an account is and may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User or guest.
    pub kind: AccountKind,
    /// Whether it administers the server.
    pub is_admin: bool,
    /// Whether nothing but logging out is possible.
    pub is_locked: bool,
    /// Whether it may not join, invite and send.
    pub is_suspended: bool,
    /// Whether it is closed for ever.
    pub is_deactivated: bool,
    /// When it was made, in milliseconds since the epoch.
    pub created_ts: u64,
}

/// Makes the user an administrator of the server, or none. `M_NOT_FOUND` when there is no such account, or it is closed.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetAdmin {
    /// Which.
    pub is_admin: bool,
}
command!(SetAdmin to User -> ());

/// What administrators hold against an account `[C-S §5.6]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moderation {
    /// Locked: nothing but logging out.
    pub is_locked: bool,
    /// Suspended: no joining, inviting, sending.
    pub is_suspended: bool,
}

/// What do administrators hold against the account? `M_NOT_FOUND` when there is none, or none any more;
/// `M_FORBIDDEN` for an administrator's own account.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetModeration {}
command!(GetModeration to User -> Moderation);

/// Locks or suspends an account, or takes that back; `None` leaves it as it is. `M_NOT_FOUND`, and
/// `M_FORBIDDEN` for an administrator's own account.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Moderate {
    /// Whether it is to be locked.
    pub lock: Option<bool>,
    /// Whether it is to be suspended.
    pub suspend: Option<bool>,
}
command!(Moderate to User -> Moderation);
