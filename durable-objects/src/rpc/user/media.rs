//! What the user uploaded.

use serde::{Deserialize, Serialize};

use crate::command;

/// Reserves an id for content that comes later. `M_LIMIT_EXCEEDED` when too many are reserved.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReserveMedia {
    /// The id, which nobody else has.
    pub media_id: String,
    /// Until when the content must be there, in milliseconds since the epoch.
    pub expires_ts: u64,
}
command!(ReserveMedia to User -> ReservedMedia);

/// What reserving an id swept up.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReservedMedia {
    /// Ids whose time passed without any content.
    pub expired: Vec<String>,
}

/// Begins an upload. `M_FORBIDDEN` when the user has too much already; for a reserved id also `M_NOT_FOUND`
/// (never reserved, or expired) and `M_CANNOT_OVERWRITE_MEDIA` (the content is there, or on its way).
#[derive(Debug, Serialize, Deserialize)]
pub struct BeginUpload {
    /// The id.
    pub media_id: String,
    /// Whether the id was reserved; else it is new.
    pub reserved: bool,
    /// How many bytes will come, as far as that is known.
    pub bytes: u64,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The file's name.
    pub file_name: Option<String>,
}
command!(BeginUpload to User -> ());

/// Ends an upload that was begun.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndUpload {
    /// The id.
    pub media_id: String,
    /// How many bytes came; `None` when the upload broke off: then a new id is forgotten, and a reserved one free again.
    pub bytes: Option<u64>,
}
command!(EndUpload to User -> ());

/// Forgets content that was removed. Answers whether the user had it.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetMedia {
    /// The id.
    pub media_id: String,
}
command!(ForgetMedia to User -> bool);

/// What the user uploaded, the newest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListMedia {
    /// How many to skip.
    pub from: u64,
    /// How many to give at most.
    pub limit: u64,
}
command!(ListMedia to User -> MediaList);

/// A page of what a user uploaded.
#[derive(Debug, Serialize, Deserialize)]
pub struct MediaList {
    /// The page.
    pub media: Vec<UploadedMedia>,
    /// How many there are in all.
    pub total: u64,
}

/// One upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadedMedia {
    /// The id.
    pub media_id: String,
    /// When it was uploaded, in milliseconds since the epoch.
    pub created_ts: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its file's name.
    pub file_name: Option<String>,
}
