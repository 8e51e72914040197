//! Keys of devices and users, and messages to devices.

use std::collections::BTreeMap;

use ruma::{
    OneTimeKeyAlgorithm, OwnedDeviceId, OwnedOneTimeKeyId, OwnedUserId,
    encryption::{CrossSigningKey, DeviceKeys, OneTimeKey},
    serde::Raw,
    to_device::DeviceIdOrAllDevices,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// Publishes keys of a device `[C-S §11.15, /keys/upload]`. `M_BAD_JSON` and `M_INVALID_PARAM` for keys that are not
/// this device's; `M_UNKNOWN` for a one-time key whose id another key has.
#[derive(Debug, Serialize, Deserialize)]
pub struct UploadKeys {
    /// The device.
    pub device_id: OwnedDeviceId,
    /// Its identity keys.
    pub device_keys: Option<Raw<DeviceKeys>>,
    /// To be handed out once each.
    pub one_time_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
    /// To be handed out when there are no one-time keys left: one for each algorithm.
    pub fallback_keys: BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>,
}
command!(UploadKeys to User -> BTreeMap<OneTimeKeyAlgorithm, u64>);

/// The user's keys, as others see them. `M_NOT_FOUND` for a user who does not exist.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueryKeys {
    /// Which devices; none for all.
    pub devices: Vec<OwnedDeviceId>,
    /// Whether the user asks, who sees the user-signing key.
    pub is_own: bool,
}
command!(QueryKeys to User -> UserKeys);

/// Public keys of a user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UserKeys {
    /// Of the devices that have any, with their display names in `unsigned`.
    pub devices: BTreeMap<OwnedDeviceId, Raw<DeviceKeys>>,
    /// The master key.
    pub master_key: Option<Raw<CrossSigningKey>>,
    /// The key that signs the user's own devices.
    pub self_signing_key: Option<Raw<CrossSigningKey>>,
    /// The key that signs other users: for the user alone.
    pub user_signing_key: Option<Raw<CrossSigningKey>>,
    /// Where in the changes of devices this is.
    pub stream_id: u64,
}

/// Hands out a key for each device, once `[C-S §11.15, /keys/claim]`. Devices without one are left out.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClaimKeys {
    /// The devices, and which kind of key is wanted.
    pub devices: BTreeMap<OwnedDeviceId, OneTimeKeyAlgorithm>,
}
command!(ClaimKeys to User -> ClaimedKeys);

/// A key for each device.
pub type ClaimedKeys = BTreeMap<OwnedDeviceId, BTreeMap<OwnedOneTimeKeyId, Raw<OneTimeKey>>>;

/// Publishes cross-signing keys `[C-S §11.15.2]`. `M_INVALID_PARAM`, `M_INVALID_SIGNATURE`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadSigningKeys {
    /// The master key.
    pub master_key: Option<Raw<CrossSigningKey>>,
    /// Signed by the master key.
    pub self_signing_key: Option<Raw<CrossSigningKey>>,
    /// Signed by the master key.
    pub user_signing_key: Option<Raw<CrossSigningKey>>,
    /// Whether the user proved that it is they: otherwise nothing is replaced.
    pub is_proven: bool,
}
command!(UploadSigningKeys to User -> SigningKeysUpload);

/// What an upload of cross-signing keys is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SigningKeysUpload {
    /// The user had no cross-signing keys.
    First,
    /// The keys are those that are there already.
    Unchanged,
    /// Keys are replaced, if the user proved that it is they.
    Replacing,
}

/// Adds signatures to the user's own devices and master key.
#[derive(Debug, Serialize, Deserialize)]
pub struct SignOwnKeys {
    /// By device id or public key: the signed object.
    pub signed: BTreeMap<String, Box<RawValue>>,
}
command!(SignOwnKeys to User -> SignatureFailures);

/// Why signatures were not taken: errcode and text.
pub type SignatureFailures = BTreeMap<String, (String, String)>;

/// Keeps the user's signatures of another user's master key, which is given.
#[derive(Debug, Serialize, Deserialize)]
pub struct SignOtherKeys {
    /// The other user.
    pub user_id: OwnedUserId,
    /// That user's master key, as this server knows it; `None` when there is none.
    pub master_key: Option<Raw<CrossSigningKey>>,
    /// By public key: the signed object.
    pub signed: BTreeMap<String, Box<RawValue>>,
}
command!(SignOtherKeys to User -> SignatureFailures);

/// The user's signatures of other users' master keys.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetSignatures {
    /// Whose keys.
    pub users: Vec<OwnedUserId>,
}
command!(GetSignatures to User -> Vec<SignatureOfOther>);

/// A signature of another user's master key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignatureOfOther {
    /// Whose key.
    pub user_id: OwnedUserId,
    /// The public key that is signed.
    pub target: String,
    /// Id of the key that signs.
    pub key_id: String,
    /// Unpadded base64.
    pub signature: String,
}

/// Takes in messages for devices of the user; those that do not exist get none. The same message again has no effect.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeliverToDevice {
    /// Who sends.
    pub sender: OwnedUserId,
    /// The sender's name for the message.
    pub message_id: String,
    /// The type.
    pub event_type: String,
    /// The content for each device.
    pub messages: BTreeMap<DeviceIdOrAllDevices, Box<RawValue>>,
}
command!(DeliverToDevice to User -> ());
