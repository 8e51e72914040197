//! Lists and sums for administrators.

use super::{MediaIndexEngine, store};
use crate::{
    database::DatabaseExt,
    matrix_error::MatrixError,
    params,
    rpc::media_index::{
        FindOldUploads, ListUploads, SumOrder, SumUploads, Upload, UploadOrder, UploadSum, UploadSums,
        Uploads,
    },
};

/// How many uploads one page lists at most.
const MAX_PAGE: u64 = 1_000;

const COUNT: &str = "SELECT count(*) FROM media WHERE uploader = ?";
const COUNT_USERS: &str =
    "SELECT count(DISTINCT uploader) FROM media WHERE uploader IS NOT NULL AND created_ts BETWEEN ? AND ?";

impl UploadOrder {
    fn column(self) -> &'static str {
        match self {
            Self::MediaId => "media_id",
            Self::FileName => "file_name",
            Self::Created => "created_ts",
            Self::LastAccess => "last_access_ts",
            Self::Bytes => "bytes",
            Self::ContentType => "content_type",
            Self::QuarantinedBy => "quarantined_by",
            Self::Protected => "is_protected",
        }
    }
}

impl SumOrder {
    fn column(self) -> &'static str {
        match self {
            Self::Uploader => "uploader",
            Self::Count => "count(*)",
            Self::Bytes => "sum(bytes)",
        }
    }
}

fn direction(is_descending: bool) -> &'static str {
    if is_descending { "DESC" } else { "ASC" }
}

impl MediaIndexEngine {
    pub(super) fn list_uploads(&self, command: ListUploads) -> Result<Uploads, MatrixError> {
        let db = self.runtime.db.as_ref();
        let (column, direction) = (command.order.column(), direction(command.is_descending));
        let page = format!(
            "SELECT {} FROM media WHERE uploader = ? ORDER BY {column} {direction}, media_id LIMIT ? OFFSET ?",
            store::COLUMNS
        );
        let limit = command.limit.min(MAX_PAGE);
        let media = db.query(&page, params![&command.uploader, limit, command.from], store::info)?;
        let total = db.query_first(COUNT, params![&command.uploader], |row| row.get(0))?.unwrap_or(0);
        Ok(Uploads { media, total })
    }

    pub(super) fn find_old_uploads(&self, command: FindOldUploads) -> Result<Vec<Upload>, MatrixError> {
        Ok(store::old_uploads(self.runtime.db.as_ref(), command.before_ts, command.larger_than)?)
    }

    pub(super) fn sum_uploads(&self, command: SumUploads) -> Result<UploadSums, MatrixError> {
        let db = self.runtime.db.as_ref();
        let (column, direction) = (command.order.column(), direction(command.is_descending));
        let page = format!(
            "SELECT uploader, count(*), sum(bytes) FROM media WHERE uploader IS NOT NULL AND created_ts BETWEEN ? AND ? \
             GROUP BY uploader ORDER BY {column} {direction}, uploader LIMIT ? OFFSET ?"
        );
        let until_ts = command.until_ts.unwrap_or((1 << 53) - 1);
        let (from_ts, limit) = (command.from_ts, command.limit.map_or(-1, u64::cast_signed));
        let users = db.query(&page, params![from_ts, until_ts, limit, command.from], |row| {
            Ok(UploadSum { uploader: row.get(0)?, count: row.get(1)?, bytes: row.get(2)? })
        })?;
        let total = db.query_first(COUNT_USERS, params![from_ts, until_ts], |row| row.get(0))?.unwrap_or(0);
        Ok(UploadSums { users, total })
    }
}
