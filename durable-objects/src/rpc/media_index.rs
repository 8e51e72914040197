//! What the [`MediaIndex`](crate::media_index) can be asked.

use ruma::OwnedServerName;
use serde::{Deserialize, Serialize};

use crate::command;

/// The name of some content: `mxc://SERVER/ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MediaName {
    /// Whose it is.
    pub server: OwnedServerName,
    /// The id there.
    pub media_id: String,
}

impl std::fmt::Display for MediaName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mxc://{}/{}", self.server, self.media_id)
    }
}

/// What is known of some content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MediaInfo {
    /// Its name.
    pub name: MediaName,
    /// The localpart of the user who uploaded it to this server.
    pub uploader: Option<String>,
    /// When it came here, in milliseconds since the epoch.
    pub created_ts: u64,
    /// When it was last asked for, in milliseconds since the epoch; hours may be missing.
    pub last_access_ts: Option<u64>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its file's name.
    pub file_name: Option<String>,
    /// Whether the deprecated paths serve it to everyone.
    pub is_open: bool,
    /// The administrator who quarantined it; `None`: it is served.
    pub quarantined_by: Option<String>,
    /// Whether it cannot be quarantined.
    pub is_protected: bool,
}

/// `M_FORBIDDEN` when so many bytes more are more than this server's users may upload together.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckSpace {
    /// How many.
    pub bytes: u64,
}
command!(CheckSpace to MediaIndex -> ());

/// Tells of content that is in the bucket now. Answers whether it may stay there: not if it is quarantined.
#[derive(Debug, Serialize, Deserialize)]
pub struct IndexMedia {
    /// Its name.
    pub name: MediaName,
    /// The localpart of the user who uploaded it; `None` for other servers' media, and pictures of URL previews.
    pub uploader: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its file's name.
    pub file_name: Option<String>,
    /// Whether the deprecated paths serve it to everyone.
    pub is_open: bool,
}
command!(IndexMedia to MediaIndex -> bool);

/// May another server's media be fetched? Not if it is quarantined.
#[derive(Debug, Serialize, Deserialize)]
pub struct MayFetchMedia {
    /// Its name.
    pub name: MediaName,
}
command!(MayFetchMedia to MediaIndex -> bool);

/// Tells that content was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoteMediaAccess {
    /// Its name.
    pub name: MediaName,
}
command!(NoteMediaAccess to MediaIndex -> ());

/// What is known of some content.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetMediaInfo {
    /// Its name.
    pub name: MediaName,
}
command!(GetMediaInfo to MediaIndex -> Option<MediaInfo>);

/// By what a list of uploads is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UploadOrder {
    /// The id.
    MediaId,
    /// The file's name.
    FileName,
    /// When it was uploaded.
    Created,
    /// When it was last asked for.
    LastAccess,
    /// The size.
    Bytes,
    /// The `Content-Type`.
    ContentType,
    /// Who quarantined it.
    QuarantinedBy,
    /// Whether it is protected.
    Protected,
}

/// What a user uploaded.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListUploads {
    /// The user's localpart.
    pub uploader: String,
    /// How many to skip.
    pub from: u64,
    /// How many to give at most.
    pub limit: u64,
    /// The order.
    pub order: UploadOrder,
    /// The other way round.
    pub is_descending: bool,
}
command!(ListUploads to MediaIndex -> Uploads);

/// A page of what a user uploaded.
#[derive(Debug, Serialize, Deserialize)]
pub struct Uploads {
    /// The page.
    pub media: Vec<MediaInfo>,
    /// How many there are in all.
    pub total: u64,
}

/// Finds uploads that nobody asked for since, neither quarantined nor protected.
#[derive(Debug, Serialize, Deserialize)]
pub struct FindOldUploads {
    /// Asked for, or else uploaded, before this time, in milliseconds since the epoch.
    pub before_ts: u64,
    /// And larger than this, in bytes.
    pub larger_than: u64,
}
command!(FindOldUploads to MediaIndex -> Vec<Upload>);

/// An upload and its user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    /// The id.
    pub media_id: String,
    /// The user's localpart.
    pub uploader: String,
}

/// Removes content from this server, with all that was made of it. Answers what there was.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveMedia {
    /// The names.
    pub names: Vec<MediaName>,
}
command!(RemoveMedia to MediaIndex -> Vec<MediaName>);

/// Removes copies of other servers' media that nobody asked for since. Answers how many.
#[derive(Debug, Serialize, Deserialize)]
pub struct PurgeRemoteMedia {
    /// In milliseconds since the epoch.
    pub before_ts: u64,
}
command!(PurgeRemoteMedia to MediaIndex -> u64);

/// Which content.
#[derive(Debug, Serialize, Deserialize)]
pub enum MediaSelection {
    /// By name. Other servers' media need not have come here yet.
    Names(Vec<MediaName>),
    /// All that a user uploaded, by their localpart.
    Uploader(String),
}

/// Withdraws content, or serves it again. Answers how much it was. What is protected is left as it is.
#[derive(Debug, Serialize, Deserialize)]
pub struct QuarantineMedia {
    /// Which.
    pub media: MediaSelection,
    /// The administrator who withdraws it; `None`: serve it again.
    pub by: Option<String>,
}
command!(QuarantineMedia to MediaIndex -> u64);

/// Protects content of this server from being quarantined, or no longer. Answers whether there is any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProtectMedia {
    /// The id.
    pub media_id: String,
    /// Whether it is protected from now on.
    pub is_protected: bool,
}
command!(ProtectMedia to MediaIndex -> bool);

/// By what the sums of uploads are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SumOrder {
    /// The user.
    Uploader,
    /// How many.
    Count,
    /// How many bytes.
    Bytes,
}

/// How much each user uploaded.
#[derive(Debug, Serialize, Deserialize)]
pub struct SumUploads {
    /// Not before this time, in milliseconds since the epoch.
    pub from_ts: u64,
    /// Nor after this.
    pub until_ts: Option<u64>,
    /// The order.
    pub order: SumOrder,
    /// The other way round.
    pub is_descending: bool,
    /// How many users to skip.
    pub from: u64,
    /// How many to give at most; `None` for all.
    pub limit: Option<u64>,
}
command!(SumUploads to MediaIndex -> UploadSums);

/// How much users uploaded.
#[derive(Debug, Serialize, Deserialize)]
pub struct UploadSums {
    /// A page of the users.
    pub users: Vec<UploadSum>,
    /// How many there are in all.
    pub total: u64,
}

/// How much one user uploaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadSum {
    /// The user's localpart.
    pub uploader: String,
    /// How many.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// The preview of a URL that was made lately, as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct FindPreview {
    /// The URL, in its standard form.
    pub url: String,
}
command!(FindPreview to MediaIndex -> Option<String>);

/// Keeps the preview of a URL for a while.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeepPreview {
    /// The URL, in its standard form.
    pub url: String,
    /// What clients are answered, as JSON.
    pub json: String,
}
command!(KeepPreview to MediaIndex -> ());
