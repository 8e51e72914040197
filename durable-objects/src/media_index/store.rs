//! The SQL of the index.

use ruma::{OwnedServerName, ServerName};

use crate::{
    database::{Database, DatabaseError, DatabaseExt, Row},
    params,
    rpc::media_index::{MediaInfo, MediaName, Upload},
};

macro_rules! columns {
    () => {
        "server, media_id, uploader, created_ts, last_access_ts, bytes, content_type, file_name, is_open, \
         quarantined_by, is_protected"
    };
}
pub(super) const COLUMNS: &str = columns!();
const FIND: &str = concat!("SELECT ", columns!(), " FROM media WHERE server = ? AND media_id = ?");
const INSERT: &str = concat!(
    "INSERT INTO media (",
    columns!(),
    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET created_ts = excluded.created_ts, \
     bytes = excluded.bytes, content_type = excluded.content_type, file_name = excluded.file_name, \
     is_open = excluded.is_open"
);
const DELETE: &str = "DELETE FROM media WHERE server = ? AND media_id = ?";
const NOTE_ACCESS: &str = "UPDATE media SET last_access_ts = ? WHERE server = ? AND media_id = ? \
     AND coalesce(last_access_ts, 0) < ?";
const SET_QUARANTINED: &str = "UPDATE media SET quarantined_by = ? WHERE server = ? AND media_id = ?";
const SET_PROTECTED: &str = "UPDATE media SET is_protected = ? WHERE server = ? AND media_id = ?";
const UPLOADED: &str = "SELECT coalesce(sum(bytes), 0) FROM media WHERE uploader IS NOT NULL";
const UPLOADS: &str = "SELECT media_id FROM media WHERE uploader = ?";
const OLD_UPLOADS: &str = "SELECT media_id, uploader FROM media WHERE uploader IS NOT NULL \
     AND coalesce(last_access_ts, created_ts) < ? AND bytes > ? AND quarantined_by IS NULL AND is_protected = 0";
const OLD_COPIES: &str = "SELECT server, media_id FROM media WHERE server <> ? \
     AND coalesce(last_access_ts, created_ts) < ? AND quarantined_by IS NULL";
const OLD_PICTURES: &str =
    "SELECT server, media_id FROM media WHERE server = ? AND uploader IS NULL AND created_ts < ?";
const IS_ANY_PICTURE: &str = "SELECT 1 FROM media WHERE server = ? AND uploader IS NULL LIMIT 1";
const ADD_CHORE: &str = "INSERT INTO chore (server, media_id, kind, uploader) VALUES (?, ?, ?, ?) \
     ON CONFLICT DO UPDATE SET kind = excluded.kind, uploader = excluded.uploader";
const CHORES: &str = "SELECT server, media_id, kind, uploader FROM chore LIMIT ?";
const DELETE_CHORE: &str = "DELETE FROM chore WHERE server = ? AND media_id = ? AND kind = ?";

/// What is to be done in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Remove all that there is of some content.
    Remove,
    /// Bring it to where it is not found.
    Hide,
    /// Bring it back.
    Show,
}

/// Something to do in the bucket.
pub(super) struct Chore {
    pub name: MediaName,
    pub kind: Kind,
    /// Who is to be told that their upload was removed.
    pub uploader: Option<String>,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Hide => "hide",
            Self::Show => "show",
        }
    }

    fn of(text: &str) -> Result<Self, DatabaseError> {
        [Self::Remove, Self::Hide, Self::Show]
            .into_iter()
            .find(|kind| kind.text() == text)
            .ok_or_else(|| DatabaseError::corrupt("unknown kind of chore"))
    }
}

fn name(row: &mut Row) -> Result<MediaName, DatabaseError> {
    let server = OwnedServerName::try_from(row.get::<String>(0)?);
    let server = server.map_err(|_| DatabaseError::corrupt("server name"))?;
    Ok(MediaName { server, media_id: row.get(1)? })
}

/// Reads a row of [`COLUMNS`].
pub(super) fn info(row: &mut Row) -> Result<MediaInfo, DatabaseError> {
    Ok(MediaInfo {
        name: name(row)?,
        uploader: row.get(2)?,
        created_ts: row.get(3)?,
        last_access_ts: row.get(4)?,
        bytes: row.get(5)?,
        content_type: row.get(6)?,
        file_name: row.get(7)?,
        is_open: row.get(8)?,
        quarantined_by: row.get(9)?,
        is_protected: row.get(10)?,
    })
}

pub(super) fn find(db: &dyn Database, name: &MediaName) -> Result<Option<MediaInfo>, DatabaseError> {
    db.query_first(FIND, params![name.server.as_str(), &name.media_id], info)
}

pub(super) fn insert(db: &dyn Database, media: &MediaInfo) -> Result<(), DatabaseError> {
    db.execute(
        INSERT,
        params![
            media.name.server.as_str(),
            &media.name.media_id,
            media.uploader.as_deref(),
            media.created_ts,
            media.last_access_ts,
            media.bytes,
            media.content_type.as_deref(),
            media.file_name.as_deref(),
            media.is_open,
            media.quarantined_by.as_deref(),
            media.is_protected,
        ],
    )
}

pub(super) fn delete(db: &dyn Database, name: &MediaName) -> Result<(), DatabaseError> {
    db.execute(DELETE, params![name.server.as_str(), &name.media_id])
}

/// Notes that content was asked for at `now`, unless that is known of a time since `before`.
pub(super) fn note_access(
    db: &dyn Database,
    name: &MediaName,
    now: u64,
    before: u64,
) -> Result<(), DatabaseError> {
    db.execute(NOTE_ACCESS, params![now, name.server.as_str(), &name.media_id, before])
}

pub(super) fn set_quarantined(
    db: &dyn Database,
    name: &MediaName,
    by: Option<&str>,
) -> Result<(), DatabaseError> {
    db.execute(SET_QUARANTINED, params![by, name.server.as_str(), &name.media_id])
}

pub(super) fn set_protected(
    db: &dyn Database,
    name: &MediaName,
    is_protected: bool,
) -> Result<(), DatabaseError> {
    db.execute(SET_PROTECTED, params![is_protected, name.server.as_str(), &name.media_id])
}

/// How many bytes this server's users uploaded.
pub(super) fn uploaded(db: &dyn Database) -> Result<u64, DatabaseError> {
    Ok(db.query_first(UPLOADED, params![], |row| row.get(0))?.unwrap_or(0))
}

/// All that a user of the server `own` uploaded.
pub(super) fn uploads(
    db: &dyn Database,
    own: &ServerName,
    uploader: &str,
) -> Result<Vec<MediaName>, DatabaseError> {
    db.query(UPLOADS, params![uploader], |row| {
        Ok(MediaName { server: own.to_owned(), media_id: row.get(0)? })
    })
}

pub(super) fn old_uploads(
    db: &dyn Database,
    before_ts: u64,
    larger_than: u64,
) -> Result<Vec<Upload>, DatabaseError> {
    db.query(OLD_UPLOADS, params![before_ts, larger_than], |row| {
        Ok(Upload { media_id: row.get(0)?, uploader: row.get(1)? })
    })
}

/// Media of other servers than `own` that nobody asked for since `before_ts`.
pub(super) fn old_copies(
    db: &dyn Database,
    own: &ServerName,
    before_ts: u64,
) -> Result<Vec<MediaName>, DatabaseError> {
    db.query(OLD_COPIES, params![own.as_str(), before_ts], name)
}

/// Pictures of URL previews that came here before a time. Those of the server `own` that nobody uploaded are.
pub(super) fn old_pictures(
    db: &dyn Database,
    own: &ServerName,
    before_ts: u64,
) -> Result<Vec<MediaName>, DatabaseError> {
    db.query(OLD_PICTURES, params![own.as_str(), before_ts], name)
}

/// Whether there are pictures of URL previews.
pub(super) fn is_any_picture(db: &dyn Database, own: &ServerName) -> Result<bool, DatabaseError> {
    Ok(db.query_first(IS_ANY_PICTURE, params![own.as_str()], |_| Ok(()))?.is_some())
}

/// Adds a chore, in the place of any other for the same content.
pub(super) fn add_chore(
    db: &dyn Database,
    name: &MediaName,
    kind: Kind,
    uploader: Option<&str>,
) -> Result<(), DatabaseError> {
    db.execute(ADD_CHORE, params![name.server.as_str(), &name.media_id, kind.text(), uploader])
}

pub(super) fn chores(db: &dyn Database, limit: u32) -> Result<Vec<Chore>, DatabaseError> {
    db.query(CHORES, params![limit], |row| {
        Ok(Chore { name: name(row)?, kind: Kind::of(&row.get::<String>(2)?)?, uploader: row.get(3)? })
    })
}

/// The chore is done, unless another has taken its place.
pub(super) fn finish(db: &dyn Database, chore: &Chore) -> Result<(), DatabaseError> {
    let Chore { name, kind, .. } = chore;
    db.execute(DELETE_CHORE, params![name.server.as_str(), &name.media_id, kind.text()])
}
