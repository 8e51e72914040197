//! The content that events name.

use super::Store;
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
    rpc::room::LogPosition,
};

const BEFORE: &str = "SELECT log.position, \
     CASE json_type(json, '$.content.url') WHEN 'text' THEN json_extract(json, '$.content.url') END, \
     CASE json_type(json, '$.content.info.thumbnail_url') WHEN 'text' \
         THEN json_extract(json, '$.content.info.thumbnail_url') END \
     FROM log JOIN event ON event.nid = log.nid WHERE log.kind = 0 AND log.position < ? \
     ORDER BY log.position DESC LIMIT ?";

/// The content that one event names.
pub struct NamedMedia {
    /// Where the event is.
    pub position: LogPosition,
    /// `url` and `info.thumbnail_url`, whatever they are.
    pub urls: [Option<String>; 2],
}

impl Store {
    /// The last events before a position, with what they name.
    pub fn media_before(&self, position: LogPosition, limit: u32) -> Result<Vec<NamedMedia>, DatabaseError> {
        self.db().query(BEFORE, params![position.0, limit], |row| {
            Ok(NamedMedia { position: LogPosition(row.get(0)?), urls: [row.get(1)?, row.get(2)?] })
        })
    }
}
