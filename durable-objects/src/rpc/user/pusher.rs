//! Pushers `[C-S §11.13]`.

use ruma::OwnedDeviceId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// Sets the pusher of this app and key. `M_UNKNOWN` when there are too many.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetPusher {
    /// The app.
    pub app_id: String,
    /// The key by which the push gateway knows the app's installation.
    pub pushkey: String,
    /// The device that sets it, with which it goes.
    pub device_id: OwnedDeviceId,
    /// What clients see of it.
    pub definition: Box<RawValue>,
}
command!(SetPusher to User -> ());

/// Removes the pusher of this app and key, if there is one.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemovePusher {
    /// The app.
    pub app_id: String,
    /// The key.
    pub pushkey: String,
}
command!(RemovePusher to User -> ());

/// The definitions of the user's pushers.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListPushers {}
command!(ListPushers to User -> Vec<Box<RawValue>>);
