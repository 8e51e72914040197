//! Previews of URLs that were made lately, and their pictures.

use super::{MediaIndexEngine, store};
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::media_index::{FindPreview, KeepPreview},
};

/// How long a preview is believed, in milliseconds.
const LIFETIME: u64 = 60 * 60 * 1000;
/// How long its picture is kept, in milliseconds: clients may show a preview for a while.
const PICTURE_LIFETIME: u64 = 3 * 24 * 60 * 60 * 1000;

const FIND: &str = "SELECT json FROM url_preview WHERE url = ? AND expires_ts > ?";
const KEEP: &str = "INSERT INTO url_preview (url, json, expires_ts) VALUES (?, ?, ?) \
     ON CONFLICT DO UPDATE SET json = excluded.json, expires_ts = excluded.expires_ts";
const DELETE_OLD: &str = "DELETE FROM url_preview WHERE expires_ts <= ?";
const IS_ANY: &str = "SELECT 1 FROM url_preview LIMIT 1";

impl MediaIndexEngine {
    pub(super) fn find_preview(&self, command: FindPreview) -> Result<Option<String>, MatrixError> {
        let now = self.runtime.platform.now();
        Ok(self.runtime.db.query_first(FIND, params![&command.url, now], |row| row.get(0))?)
    }

    pub(super) async fn keep_preview(&self, command: KeepPreview) -> Result<(), MatrixError> {
        let expires_ts = self.runtime.platform.now().saturating_add(LIFETIME);
        self.runtime.db.execute(KEEP, params![&command.url, &command.json, expires_ts])?;
        self.schedule_sweep().await;
        Ok(())
    }

    /// Forgets old previews, and answers the names of pictures that no preview shows any more.
    pub(super) fn sweep_previews(&self) -> Result<Vec<crate::rpc::media_index::MediaName>, DatabaseError> {
        let (db, now) = (self.runtime.db.as_ref(), self.runtime.platform.now());
        db.execute(DELETE_OLD, params![now])?;
        let own = &self.runtime.platform.config().server_name;
        store::old_pictures(db, own, now.saturating_sub(PICTURE_LIFETIME))
    }

    /// Whether there is anything that will get old.
    pub(super) fn has_previews(&self) -> Result<bool, DatabaseError> {
        let db = self.runtime.db.as_ref();
        let own = &self.runtime.platform.config().server_name;
        Ok(db.query_first(IS_ANY, params![], |_| Ok(()))?.is_some() || store::is_any_picture(db, own)?)
    }
}
