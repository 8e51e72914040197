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
command!(ReserveMedia to User -> Swept);

/// What was swept up on the way: ids whose time passed, of which nothing may be left in the bucket.
#[derive(Debug, Serialize, Deserialize)]
pub struct Swept {
    /// The ids.
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
    /// How many bytes will come, if that is known.
    pub bytes: Option<u64>,
}
command!(BeginUpload to User -> BegunUpload);

/// An upload may come.
#[derive(Debug, Serialize, Deserialize)]
pub struct BegunUpload {
    /// What was swept up on the way.
    pub swept: Swept,
    /// How many bytes the user may upload now, at most: so many are kept free for it.
    pub max_bytes: u64,
}

/// Ends an upload that was begun.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndUpload {
    /// The id.
    pub media_id: String,
    /// How many bytes came; `None` when the upload broke off: then a new id is forgotten, and a reserved one free again.
    pub bytes: Option<u64>,
}
command!(EndUpload to User -> ());

/// Forgets content that was removed.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetMedia {
    /// The ids.
    pub media_ids: Vec<String>,
}
command!(ForgetMedia to User -> ());
