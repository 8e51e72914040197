//! Dehydrated devices (MSC3814).

use std::collections::BTreeMap;

use ruma::{
    OwnedDeviceId, OwnedOneTimeKeyId,
    encryption::{DeviceKeys, OneTimeKey},
    serde::Raw,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// Keeps a dehydrated device in the place of the one before. `M_INVALID_PARAM` for the id of another device.
#[derive(Debug, Serialize, Deserialize)]
pub struct PutDehydratedDevice {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// Its name for people.
    pub display_name: Option<String>,
    /// What its client made of it.
    pub data: Box<RawValue>,
    /// Its identity keys.
    pub device_keys: Raw<DeviceKeys>,
    /// Its one-time keys.
    pub one_time_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
    /// Its fallback keys.
    pub fallback_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
}
command!(PutDehydratedDevice to User -> ());

/// The dehydrated device. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetDehydratedDevice {}
command!(GetDehydratedDevice to User -> DehydratedDevice);

/// A dehydrated device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DehydratedDevice {
    /// Its id.
    pub device_id: OwnedDeviceId,
    /// What its client made of it.
    pub data: Box<RawValue>,
}

/// Removes the dehydrated device; its id. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteDehydratedDevice {}
command!(DeleteDehydratedDevice to User -> OwnedDeviceId);

/// Messages to the dehydrated device. `M_NOT_FOUND`, `M_FORBIDDEN` when it is another.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetDehydratedEvents {
    /// Which device.
    pub device_id: OwnedDeviceId,
    /// Where to go on.
    pub from: Option<String>,
}
command!(GetDehydratedEvents to User -> DehydratedEvents);

/// Messages to a dehydrated device.
#[derive(Debug, Serialize, Deserialize)]
pub struct DehydratedEvents {
    /// In order.
    pub events: Vec<Box<RawValue>>,
    /// Where to go on.
    pub next_batch: String,
}
