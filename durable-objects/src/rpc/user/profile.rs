//! The public profile.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{command, rpc::directory::UserEntry};

/// The whole profile. `M_NOT_FOUND` when there is no such user.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetProfile {}
command!(GetProfile to User -> Map<String, Value>);

/// Sets a field of the profile, or removes it; answers whether that changed anything.
/// `M_INVALID_PARAM`, `M_BAD_JSON`, `M_KEY_TOO_LARGE`, `M_PROFILE_TOO_LARGE`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetProfileField {
    /// The field's name.
    pub name: String,
    /// Its value, which is not JSON `null`; `None` removes it.
    pub value: Option<Value>,
}
command!(SetProfileField to User -> bool);

/// The user as the user directory is to show them; `None` when it is not to.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetUserEntry {}
command!(GetUserEntry to User -> Option<UserEntry>);
