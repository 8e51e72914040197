//! Registration tokens.

use serde::{Deserialize, Deserializer, Serialize};

use crate::command;

/// Would this token allow a registration now?
#[derive(Serialize, Deserialize)]
pub struct CheckRegistrationToken {
    /// The token.
    pub token: String,
}
command!(CheckRegistrationToken to Directory -> bool);

/// Takes one use of a token for a registration that is under way; the hold's id, or `None` when the
/// token is not valid.
#[derive(Serialize, Deserialize)]
pub struct HoldRegistrationToken {
    /// The token.
    pub token: String,
}
command!(HoldRegistrationToken to Directory -> Option<u64>);

/// The registration of a hold succeeded, or not, and then its use is given back.
#[derive(Debug, Serialize, Deserialize)]
pub struct SettleRegistrationToken {
    /// The hold.
    pub hold: u64,
    /// Whether there is a new account.
    pub registered: bool,
}
command!(SettleRegistrationToken to Directory -> ());

/// A registration token, in the form of Synapse's admin API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationToken {
    /// The token.
    pub token: String,
    /// How many accounts may be registered with it; `None`: any number.
    pub uses_allowed: Option<u64>,
    /// How many registrations are under way.
    pub pending: u64,
    /// How many accounts were registered.
    pub completed: u64,
    /// Until when it is valid, in milliseconds since the epoch; `None`: for ever.
    pub expiry_time: Option<u64>,
}

/// A new token. `M_INVALID_PARAM` when it exists already.
#[derive(Serialize, Deserialize)]
pub struct CreateRegistrationToken {
    /// The token; `None` has one made up.
    #[serde(default)]
    pub token: Option<String>,
    /// As in [`RegistrationToken`].
    #[serde(default)]
    pub uses_allowed: Option<u64>,
    /// As in [`RegistrationToken`].
    #[serde(default)]
    pub expiry_time: Option<u64>,
}
command!(CreateRegistrationToken to Directory -> RegistrationToken);

/// All tokens, or those that are (or are not) valid now.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListRegistrationTokens {
    /// Which.
    pub valid: Option<bool>,
}
command!(ListRegistrationTokens to Directory -> Vec<RegistrationToken>);

/// One token. `M_NOT_FOUND`.
#[derive(Serialize, Deserialize)]
pub struct GetRegistrationToken {
    /// The token.
    pub token: String,
}
command!(GetRegistrationToken to Directory -> RegistrationToken);

/// Changes a token's limits. `M_NOT_FOUND`.
#[derive(Serialize, Deserialize)]
pub struct UpdateRegistrationToken {
    /// The token.
    pub token: String,
    /// What to change.
    pub change: TokenChange,
}
command!(UpdateRegistrationToken to Directory -> RegistrationToken);

/// New limits: absent leaves a limit as it is, `Some(None)` lifts it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct TokenChange {
    /// As in [`RegistrationToken`].
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub uses_allowed: Option<Option<u64>>,
    /// As in [`RegistrationToken`].
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expiry_time: Option<Option<u64>>,
}

/// Tells `null` from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Removes a token. `M_NOT_FOUND`.
#[derive(Serialize, Deserialize)]
pub struct DeleteRegistrationToken {
    /// The token.
    pub token: String,
}
command!(DeleteRegistrationToken to Directory -> ());
