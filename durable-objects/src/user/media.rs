//! What the user uploaded: counted against limits, and listed for administrators `[C-S §11.7]`.
//!
//! The row decides who may write the content of an id, and that nobody does so twice: the bucket has no say.

use ruma::api::error::ErrorCode;

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{
        BeginUpload, EndUpload, ForgetMedia, ListMedia, MediaList, ReserveMedia, ReservedMedia, UploadedMedia,
    },
};

/// How many reserved ids may wait for their content.
const MAX_RESERVED: u64 = 100;
/// After how many milliseconds an upload that was neither finished nor broken off is taken for dead.
const UPLOAD_TIMEOUT: u64 = 30 * 60 * 1000;
/// How many uploads one page lists at most.
const MAX_PAGE: u64 = 1_000;

const EXPIRED: &str = "SELECT media_id FROM media WHERE expires_ts <= ? AND coalesce(started_ts, 0) <= ?";
const DELETE_EXPIRED: &str = "DELETE FROM media WHERE expires_ts <= ? AND coalesce(started_ts, 0) <= ?";
const COUNT_RESERVED: &str =
    "SELECT count(*), min(expires_ts) FROM media WHERE expires_ts IS NOT NULL AND reserved = 1";
const RESERVE: &str =
    "INSERT INTO media (media_id, created_ts, bytes, expires_ts, reserved) VALUES (?, ?, 0, ?, 1)";
const SELECT: &str = "SELECT expires_ts, started_ts, reserved FROM media WHERE media_id = ?";
const BEGIN: &str = "INSERT INTO media
    (media_id, created_ts, bytes, content_type, file_name, expires_ts, started_ts, reserved) VALUES (?, ?, ?, ?, ?, ?, ?, 0)
    ON CONFLICT (media_id) DO UPDATE SET bytes = excluded.bytes, content_type = excluded.content_type,
        file_name = excluded.file_name, started_ts = excluded.started_ts";
const FINISH: &str = "UPDATE media SET bytes = ?, created_ts = ?, expires_ts = NULL, started_ts = NULL
    WHERE media_id = ?";
const RELEASE: &str = "UPDATE media SET bytes = 0, started_ts = NULL WHERE media_id = ?";
const DELETE: &str = "DELETE FROM media WHERE media_id = ?";
const USED: &str = "SELECT coalesce(sum(bytes), 0) FROM media";
const PAGE: &str = "SELECT media_id, created_ts, bytes, content_type, file_name FROM media
    WHERE expires_ts IS NULL ORDER BY created_ts DESC, media_id LIMIT ? OFFSET ?";
const COUNT: &str = "SELECT count(*) FROM media WHERE expires_ts IS NULL";

/// What decides what may be done with an id.
struct Upload {
    /// Until when the content must be there; `None`: it is.
    expires_ts: Option<u64>,
    started_ts: Option<u64>,
    reserved: bool,
}

impl UserEngine {
    fn upload(&self, media_id: &str) -> Result<Option<Upload>, DatabaseError> {
        self.runtime.db.query_first(SELECT, params![media_id], |row| {
            Ok(Upload { expires_ts: row.get(0)?, started_ts: row.get(1)?, reserved: row.get::<u64>(2)? == 1 })
        })
    }

    pub(super) fn reserve_media(&self, command: ReserveMedia) -> Result<ReservedMedia, MatrixError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        let dead = now.saturating_sub(UPLOAD_TIMEOUT);
        let expired: Vec<String> = db.query(EXPIRED, params![now, dead], |row| row.get(0))?;
        db.execute(DELETE_EXPIRED, params![now, dead])?;
        let count = db.query_first(COUNT_RESERVED, params![], |row| {
            Ok((row.get::<u64>(0)?, row.get::<Option<u64>>(1)?.unwrap_or(now)))
        })?;
        if let Some((count, first)) = count
            && count >= MAX_RESERVED
        {
            return Err(MatrixError::limit_exceeded(first.saturating_sub(now).max(1_000)));
        }
        db.execute(RESERVE, params![&command.media_id, now, command.expires_ts])?;
        Ok(ReservedMedia { expired })
    }

    pub(super) fn begin_upload(&self, command: BeginUpload) -> Result<(), MatrixError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        let BeginUpload { media_id, reserved, bytes, content_type, file_name } = command;
        if reserved {
            let upload = self.upload(&media_id)?;
            check_reserved(upload, now)?;
        }
        if let Some(limit) = self.runtime.platform.config().media.max_bytes_per_user {
            let used = db.query_first(USED, params![], |row| row.get::<u64>(0))?.unwrap_or(0);
            if used.saturating_add(bytes) > limit {
                return Err(MatrixError::forbidden("You have uploaded as much as a user of this server may"));
            }
        }
        let expires_ts = now.saturating_add(UPLOAD_TIMEOUT);
        db.execute(
            BEGIN,
            params![&media_id, now, bytes, content_type.as_deref(), file_name.as_deref(), expires_ts, now],
        )?;
        Ok(())
    }

    pub(super) fn end_upload(&self, command: EndUpload) -> Result<(), MatrixError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        let Some(upload) = self.upload(&command.media_id)? else { return Ok(()) };
        match command.bytes {
            Some(bytes) => db.execute(FINISH, params![bytes, now, &command.media_id])?,
            None if upload.expires_ts.is_none() => {}
            None if upload.reserved => db.execute(RELEASE, params![&command.media_id])?,
            None => db.execute(DELETE, params![&command.media_id])?,
        }
        Ok(())
    }

    pub(super) fn forget_media(&self, command: ForgetMedia) -> Result<bool, MatrixError> {
        let known = self.upload(&command.media_id)?.is_some();
        self.runtime.db.execute(DELETE, params![&command.media_id])?;
        Ok(known)
    }

    pub(super) fn list_media(&self, command: ListMedia) -> Result<MediaList, MatrixError> {
        let db = self.runtime.db.as_ref();
        let media = db.query(PAGE, params![command.limit.min(MAX_PAGE), command.from], |row| {
            Ok(UploadedMedia {
                media_id: row.get(0)?,
                created_ts: row.get(1)?,
                bytes: row.get(2)?,
                content_type: row.get(3)?,
                file_name: row.get(4)?,
            })
        })?;
        let total = db.query_first(COUNT, params![], |row| row.get::<u64>(0))?.unwrap_or(0);
        Ok(MediaList { media, total })
    }
}

/// May the content of a reserved id be uploaded now?
fn check_reserved(upload: Option<Upload>, now: u64) -> Result<(), MatrixError> {
    let cannot_overwrite =
        || MatrixError::new(409, ErrorCode::CannotOverwriteMedia, "This media id has its content already");
    let Some(Upload { expires_ts, started_ts, .. }) = upload else {
        return Err(MatrixError::not_found("This media id was not created here"));
    };
    let running = started_ts.is_some_and(|started| started.saturating_add(UPLOAD_TIMEOUT) > now);
    match expires_ts {
        Some(expires) if expires <= now && !running => {
            Err(MatrixError::not_found("This media id has expired"))
        }
        Some(_) if !running => Ok(()),
        _ => Err(cannot_overwrite()),
    }
}
