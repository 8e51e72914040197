//! Server-side key backup `[C-S §11.15.3.2]`.

use std::collections::BTreeMap;

use ruma::{
    OwnedRoomId,
    api::client::backup::{BackupAlgorithm, KeyBackupData},
    serde::Raw,
};
use serde::{Deserialize, Serialize};

use crate::command;

/// Makes a new version, which is then the latest; its name.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateBackup {
    /// Algorithm and its data.
    pub algorithm: Raw<BackupAlgorithm>,
}
command!(CreateBackup to User -> String);

/// Replaces the data of a version. `M_NOT_FOUND`, `M_INVALID_PARAM` for another algorithm.
#[derive(Debug, Serialize, Deserialize)]
pub struct UpdateBackup {
    /// The version.
    pub version: String,
    /// Algorithm and its data.
    pub algorithm: Raw<BackupAlgorithm>,
}
command!(UpdateBackup to User -> ());

/// A version, or the latest. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetBackup {
    /// The version; `None` for the latest.
    pub version: Option<String>,
}
command!(GetBackup to User -> Backup);

/// A version of a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Backup {
    /// Its name.
    pub version: String,
    /// Algorithm and its data.
    pub algorithm: Raw<BackupAlgorithm>,
    /// What its keys are.
    pub state: BackupState,
}

/// Removes a version with its keys. `M_NOT_FOUND`.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteBackup {
    /// The version.
    pub version: String,
}
command!(DeleteBackup to User -> ());

/// What the keys of a version are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupState {
    /// Another after every change.
    pub etag: String,
    /// How many there are.
    pub count: u64,
}

/// Keys by room and session.
pub type BackedUpKeys = BTreeMap<OwnedRoomId, BTreeMap<String, Raw<KeyBackupData>>>;

/// Which keys of a version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WhichKeys {
    /// The version.
    pub version: String,
    /// Of this room; `None` for all.
    pub room_id: Option<OwnedRoomId>,
    /// Of this session of the room; `None` for all.
    pub session_id: Option<String>,
}

/// Adds keys to the latest version. Of two keys of a session the better one stays. `M_NOT_FOUND` for a version that
/// does not exist, `M_WRONG_ROOM_KEYS_VERSION` for one that is not the latest.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddBackupKeys {
    /// The version.
    pub version: String,
    /// The keys.
    pub keys: BackedUpKeys,
}
command!(AddBackupKeys to User -> BackupState);

/// The keys of a version. `M_NOT_FOUND` for a version that does not exist.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetBackupKeys {
    /// Which.
    pub which: WhichKeys,
}
command!(GetBackupKeys to User -> BackedUpKeys);

/// Removes keys of a version. `M_NOT_FOUND` for a version that does not exist.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteBackupKeys {
    /// Which.
    pub which: WhichKeys,
}
command!(DeleteBackupKeys to User -> BackupState);
