//! The `MediaIndex` actor: what content the bucket has, as far as an administrator, a limit or a lifetime needs it.
//!
//! Serving content does not ask it: quarantined content is elsewhere in the bucket, and so is not found. What an
//! administrator decides is written here first, with the chore in the bucket that follows from it (`chores`), and
//! answered when that is done.

mod chores;
mod listing;
mod preview;
mod store;
#[cfg(test)]
mod tests;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use self::{chores::Working, store::Kind};
use crate::{
    database::{DatabaseError, DatabaseExt},
    dispatch,
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::media_index::{
        CheckSpace, FindOldUploads, FindPreview, GetMediaInfo, IndexMedia, KeepPreview, ListUploads,
        MayFetchMedia, MediaInfo, MediaName, MediaSelection, NoteMediaAccess, ProtectMedia, PurgeRemoteMedia,
        QuarantineMedia, RemoveMedia, SumUploads,
    },
};

/// How exactly it is known when content was last asked for, in milliseconds.
const ACCESS_PRECISION: u64 = 6 * 60 * 60 * 1000;
/// How often what gets old is looked for at most and at least, in milliseconds.
const SWEEP: std::ops::RangeInclusive<u64> = 60_000..=6 * 60 * 60 * 1000;

/// The behaviour of the `MediaIndex`.
pub struct MediaIndexEngine {
    runtime: Runtime,
    working: RefCell<Working>,
    /// How many bytes this server's users uploaded, once it was counted.
    uploaded: Cell<Option<u64>>,
    /// When the next look for what gets old is due, if this is known.
    next_sweep: Cell<Option<u64>>,
}

impl Engine for MediaIndexEngine {
    const MIGRATIONS: &'static [Migration] = &[
        (1, include_str!("../../schema/media_index/0001_media.sql")),
        (2, include_str!("../../schema/media_index/0002_url_preview.sql")),
    ];

    fn new(runtime: Runtime) -> Self {
        Self { runtime, working: RefCell::default(), uploaded: Cell::new(None), next_sweep: Cell::new(None) }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        dispatch!(self, op, body, {
            sync CheckSpace => check_space,
            async IndexMedia => index_media,
            sync MayFetchMedia => may_fetch_media,
            sync NoteMediaAccess => note_media_access,
            sync GetMediaInfo => get_media_info,
            sync ListUploads => list_uploads,
            sync FindOldUploads => find_old_uploads,
            async RemoveMedia => remove_media,
            async PurgeRemoteMedia => purge_remote_media,
            async QuarantineMedia => quarantine_media,
            sync ProtectMedia => protect_media,
            sync SumUploads => sum_uploads,
            sync FindPreview => find_preview,
            async KeepPreview => keep_preview,
        })
    }

    async fn alarm(self: Rc<Self>) {
        let swept = async {
            self.work().await?;
            let pictures = self.sweep_previews()?;
            self.remove(pictures).await?;
            if let Some(lifetime) = self.runtime.platform.config().media.remote_lifetime_ms {
                let before_ts = self.runtime.platform.now().saturating_sub(lifetime);
                let command = PurgeRemoteMedia { before_ts };
                self.purge_remote_media(command).await?;
            }
            Ok::<_, MatrixError>(())
        };
        if let Err(error) = swept.await {
            crate::log::error("media", &error.to_string());
        }
        self.next_sweep.set(None);
        if self.runtime.platform.config().media.remote_lifetime_ms.is_some()
            || self.has_previews().unwrap_or(true)
        {
            self.schedule_sweep().await;
        }
    }
}

impl MediaIndexEngine {
    fn check_space(&self, command: CheckSpace) -> Result<(), MatrixError> {
        let Some(limit) = self.runtime.platform.config().media.max_bytes_in_all else { return Ok(()) };
        if self.uploaded()?.saturating_add(command.bytes) > limit {
            return Err(MatrixError::forbidden("The storage of this server is full"));
        }
        Ok(())
    }

    /// How many bytes this server's users uploaded.
    fn uploaded(&self) -> Result<u64, DatabaseError> {
        if let Some(bytes) = self.uploaded.get() {
            return Ok(bytes);
        }
        let bytes = store::uploaded(self.runtime.db.as_ref())?;
        self.uploaded.set(Some(bytes));
        Ok(bytes)
    }

    async fn index_media(self: &Rc<Self>, command: IndexMedia) -> Result<bool, MatrixError> {
        let db = self.runtime.db.as_ref();
        let known = store::find(db, &command.name)?;
        if known.is_some_and(|known| known.quarantined_by.is_some()) {
            return Ok(false);
        }
        let info = MediaInfo {
            created_ts: self.runtime.platform.now(),
            name: command.name,
            uploader: command.uploader,
            last_access_ts: None,
            bytes: command.bytes,
            content_type: command.content_type,
            file_name: command.file_name,
            is_open: command.is_open,
            quarantined_by: None,
            is_protected: false,
        };
        db.transaction(|| store::insert(db, &info))?;
        if let (Some(bytes), Some(_)) = (self.uploaded.get(), &info.uploader) {
            self.uploaded.set(Some(bytes.saturating_add(info.bytes)));
        }
        if info.uploader.is_none() {
            self.schedule_sweep().await;
        }
        Ok(true)
    }

    /// Sees to it that what gets old will be looked for.
    async fn schedule_sweep(&self) {
        let now = self.runtime.platform.now();
        if self.next_sweep.get().is_none_or(|due| due <= now) {
            let lifetime = self.runtime.platform.config().media.remote_lifetime_ms.unwrap_or(u64::MAX);
            let due = now.saturating_add((lifetime / 4).clamp(*SWEEP.start(), *SWEEP.end()));
            self.next_sweep.set(Some(due));
            self.runtime.platform.set_alarm(due).await;
        }
    }

    fn may_fetch_media(&self, command: MayFetchMedia) -> Result<bool, MatrixError> {
        let known = store::find(self.runtime.db.as_ref(), &command.name)?;
        Ok(known.is_none_or(|known| known.quarantined_by.is_none()))
    }

    fn note_media_access(&self, command: NoteMediaAccess) -> Result<(), MatrixError> {
        let now = self.runtime.platform.now();
        let before = now.saturating_sub(ACCESS_PRECISION);
        Ok(store::note_access(self.runtime.db.as_ref(), &command.name, now, before)?)
    }

    fn get_media_info(&self, command: GetMediaInfo) -> Result<Option<MediaInfo>, MatrixError> {
        Ok(store::find(self.runtime.db.as_ref(), &command.name)?)
    }

    async fn remove_media(self: &Rc<Self>, command: RemoveMedia) -> Result<Vec<MediaName>, MatrixError> {
        self.remove(command.names).await
    }

    async fn purge_remote_media(self: &Rc<Self>, command: PurgeRemoteMedia) -> Result<u64, MatrixError> {
        let own = &self.runtime.platform.config().server_name;
        let old = store::old_copies(self.runtime.db.as_ref(), own, command.before_ts)?;
        let removed = self.remove(old).await?;
        Ok(u64::try_from(removed.len()).unwrap_or(u64::MAX))
    }

    /// Removes content; answers what there was.
    async fn remove(self: &Rc<Self>, names: Vec<MediaName>) -> Result<Vec<MediaName>, MatrixError> {
        let db = self.runtime.db.as_ref();
        let removed: Vec<MediaName> = db.transaction(|| {
            let mut removed = Vec::new();
            for name in names {
                let Some(info) = store::find(db, &name)? else { continue };
                store::delete(db, &name)?;
                store::add_chore(db, &name, Kind::Remove, info.uploader.as_deref())?;
                removed.push(name);
            }
            Ok::<_, DatabaseError>(removed)
        })?;
        self.uploaded.set(None);
        self.work_durably(!removed.is_empty()).await?;
        Ok(removed)
    }

    async fn quarantine_media(self: &Rc<Self>, command: QuarantineMedia) -> Result<u64, MatrixError> {
        let db = self.runtime.db.as_ref();
        let (now, by) = (self.runtime.platform.now(), command.by.as_deref());
        let own = self.runtime.platform.config().server_name.clone();
        let kind = if by.is_some() { Kind::Hide } else { Kind::Show };
        let count = db.transaction(|| {
            let names = match command.media {
                MediaSelection::Names(names) => names,
                MediaSelection::Uploader(uploader) => store::uploads(db, &own, &uploader)?,
            };
            let mut count = 0_u64;
            for name in names {
                let known = store::find(db, &name)?;
                if known.as_ref().is_some_and(|known| by.is_some() && known.is_protected) {
                    continue;
                }
                if known.is_none() {
                    if by.is_none() || name.server == own {
                        continue;
                    }
                    // It is not to come.
                    store::insert(db, &absent(name.clone(), now))?;
                }
                store::set_quarantined(db, &name, by)?;
                store::add_chore(db, &name, kind, None)?;
                count = count.saturating_add(1);
            }
            Ok::<_, DatabaseError>(count)
        })?;
        self.work_durably(count > 0).await?;
        Ok(count)
    }

    fn protect_media(&self, command: ProtectMedia) -> Result<bool, MatrixError> {
        let db = self.runtime.db.as_ref();
        let server = self.runtime.platform.config().server_name.clone();
        let name = MediaName { server, media_id: command.media_id };
        let is_known = store::find(db, &name)?.is_some();
        store::set_protected(db, &name, command.is_protected)?;
        Ok(is_known)
    }
}

/// Another server's media that is not here.
fn absent(name: MediaName, now: u64) -> MediaInfo {
    MediaInfo {
        name,
        uploader: None,
        created_ts: now,
        last_access_ts: None,
        bytes: 0,
        content_type: None,
        file_name: None,
        is_open: false,
        quarantined_by: None,
        is_protected: false,
    }
}
