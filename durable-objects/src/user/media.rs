//! What the user uploaded: counted against limits `[C-S §11.7]`.
//!
//! The row decides who may write the content of an id, and that nobody does so twice: the bucket has no say.

use ruma::api::error::ErrorCode;

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{BeginUpload, BegunUpload, EndUpload, ForgetMedia, ReserveMedia, Swept},
};

/// How many reserved ids may wait for their content.
const MAX_RESERVED: u64 = 100;
/// After how many milliseconds an upload that was neither finished nor broken off is taken for dead.
const UPLOAD_TIMEOUT: u64 = 30 * 60 * 1000;

const EXPIRED: &str = "SELECT media_id FROM media WHERE expires_ts <= ? AND coalesce(started_ts, 0) <= ?";
const DELETE_EXPIRED: &str = "DELETE FROM media WHERE expires_ts <= ? AND coalesce(started_ts, 0) <= ?";
const COUNT_RESERVED: &str =
    "SELECT count(*), min(expires_ts) FROM media WHERE expires_ts IS NOT NULL AND reserved = 1";
const RESERVE: &str =
    "INSERT INTO media (media_id, created_ts, bytes, expires_ts, reserved) VALUES (?, ?, 0, ?, 1)";
const SELECT: &str = "SELECT expires_ts, started_ts, reserved FROM media WHERE media_id = ?";
const BEGIN: &str = "INSERT INTO media
    (media_id, created_ts, bytes, expires_ts, started_ts, reserved) VALUES (?, ?, ?, ?, ?, 0)
    ON CONFLICT (media_id) DO UPDATE SET bytes = excluded.bytes, started_ts = excluded.started_ts";
const FINISH: &str = "INSERT INTO media (media_id, created_ts, bytes, reserved) VALUES (?, ?, ?, 0)
    ON CONFLICT (media_id) DO UPDATE SET bytes = excluded.bytes, created_ts = excluded.created_ts,
        expires_ts = NULL, started_ts = NULL";
const RELEASE: &str = "UPDATE media SET bytes = 0, started_ts = NULL WHERE media_id = ?";
const DELETE: &str = "DELETE FROM media WHERE media_id = ?";
const USED: &str = "SELECT coalesce(sum(bytes), 0) FROM media";

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

    pub(super) fn reserve_media(&self, command: ReserveMedia) -> Result<Swept, MatrixError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        let swept = self.sweep_media(now)?;
        let count = db.query_first(COUNT_RESERVED, params![], |row| {
            Ok((row.get::<u64>(0)?, row.get::<Option<u64>>(1)?.unwrap_or(now)))
        })?;
        if let Some((count, first)) = count
            && count >= MAX_RESERVED
        {
            return Err(MatrixError::limit_exceeded(first.saturating_sub(now).max(1_000)));
        }
        db.execute(RESERVE, params![&command.media_id, now, command.expires_ts])?;
        Ok(swept)
    }

    /// Forgets ids whose time has passed.
    fn sweep_media(&self, now: u64) -> Result<Swept, DatabaseError> {
        let db = self.runtime.db.as_ref();
        let dead = now.saturating_sub(UPLOAD_TIMEOUT);
        let expired: Vec<String> = db.query(EXPIRED, params![now, dead], |row| row.get(0))?;
        if !expired.is_empty() {
            db.execute(DELETE_EXPIRED, params![now, dead])?;
        }
        Ok(Swept { expired })
    }

    pub(super) fn begin_upload(&self, command: BeginUpload) -> Result<BegunUpload, MatrixError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        let BeginUpload { media_id, reserved, bytes } = command;
        let swept = self.sweep_media(now)?;
        if reserved {
            let upload = self.upload(&media_id)?;
            check_reserved(upload, now)?;
        }
        let settings = &self.runtime.platform.config().media;
        let mut max_bytes = bytes.unwrap_or(settings.max_upload_bytes);
        if let Some(limit) = settings.max_bytes_per_user {
            // What is uploaded now counts as what was announced, or may come.
            let used = db.query_first(USED, params![], |row| row.get::<u64>(0))?.unwrap_or(0);
            let left = limit.saturating_sub(used);
            if left < bytes.unwrap_or(1) {
                return Err(MatrixError::forbidden("You have uploaded as much as a user of this server may"));
            }
            max_bytes = max_bytes.min(left);
        }
        let expires_ts = now.saturating_add(UPLOAD_TIMEOUT);
        db.execute(BEGIN, params![&media_id, now, max_bytes, expires_ts, now])?;
        Ok(BegunUpload { swept, max_bytes })
    }

    pub(super) fn end_upload(&self, command: EndUpload) -> Result<(), MatrixError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        let upload = self.upload(&command.media_id)?;
        match (command.bytes, upload) {
            (Some(bytes), _) => db.execute(FINISH, params![&command.media_id, now, bytes])?,
            (None, None | Some(Upload { expires_ts: None, .. })) => {}
            (None, Some(Upload { reserved: true, .. })) => db.execute(RELEASE, params![&command.media_id])?,
            (None, Some(_)) => db.execute(DELETE, params![&command.media_id])?,
        }
        Ok(())
    }

    pub(super) fn forget_media(&self, command: ForgetMedia) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        db.transaction(|| command.media_ids.iter().try_for_each(|id| db.execute(DELETE, params![id])))
            .map_err(|error: DatabaseError| error.into())
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
