//! Receipts.

use ruma::{OwnedEventId, OwnedUserId, UserId};

use super::{Store, Writer};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::{LogPosition, ReceiptKind},
};

const ONE: &str = "SELECT user_id, kind, thread, event_id, read_up_to, ts, position FROM receipt
    WHERE user_id = ? AND kind = ? AND thread = ?";
const OF_USER: &str =
    "SELECT user_id, kind, thread, event_id, read_up_to, ts, position FROM receipt WHERE user_id = ?";
const BETWEEN: &str = "SELECT user_id, kind, thread, event_id, read_up_to, ts, position FROM receipt
    WHERE position > ? AND position <= ? ORDER BY position DESC LIMIT ?";
const SET: &str = "INSERT INTO receipt (user_id, kind, thread, event_id, read_up_to, ts, position)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (user_id, kind, thread) DO UPDATE SET event_id = excluded.event_id,
    read_up_to = excluded.read_up_to, ts = excluded.ts, position = excluded.position";

/// Up to where a user has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The user.
    pub user_id: OwnedUserId,
    /// Public or private.
    pub kind: ReceiptKind,
    /// Empty for all threads, `main`, or the id of a thread's root.
    pub thread: String,
    /// The last event read.
    pub event_id: OwnedEventId,
    /// Its position; 0 when it is not here.
    pub read_up_to: LogPosition,
    /// When, in milliseconds since the epoch.
    pub ts: u64,
    /// The position that the receipt took in the log.
    pub position: LogPosition,
}

impl Receipt {
    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        let corrupt = |_| DatabaseError::corrupt("a receipt");
        Ok(Self {
            user_id: OwnedUserId::try_from(row.get::<String>(0)?).map_err(corrupt)?,
            kind: ReceiptKind::of(&row.get::<String>(1)?)
                .ok_or_else(|| DatabaseError::corrupt("kind of a receipt"))?,
            thread: row.get(2)?,
            event_id: OwnedEventId::try_from(row.get::<String>(3)?).map_err(corrupt)?,
            read_up_to: LogPosition(row.get(4)?),
            ts: row.get(5)?,
            position: LogPosition(row.get(6)?),
        })
    }
}

impl Store {
    /// A user's receipt of some kind for a thread.
    pub fn receipt(
        &self,
        user_id: &UserId,
        kind: ReceiptKind,
        thread: &str,
    ) -> Result<Option<Receipt>, DatabaseError> {
        self.db().query_first(ONE, params![user_id.as_str(), kind.name(), thread], Receipt::read)
    }

    /// All receipts of a user.
    pub fn receipts_of(&self, user_id: &UserId) -> Result<Vec<Receipt>, DatabaseError> {
        self.db().query(OF_USER, params![user_id.as_str()], Receipt::read)
    }

    /// Up to `limit` receipts that took positions in `(after, up_to]`, last to first.
    pub fn receipts_between(
        &self,
        after: LogPosition,
        up_to: LogPosition,
        limit: u32,
    ) -> Result<Vec<Receipt>, DatabaseError> {
        self.db().query(BETWEEN, params![after.0, up_to.0, limit], Receipt::read)
    }
}

impl Writer<'_> {
    /// Writes a receipt in the place of the one before.
    pub fn set_receipt(&mut self, receipt: &Receipt) -> Result<(), DatabaseError> {
        self.db().execute(
            SET,
            params![
                receipt.user_id.as_str(),
                receipt.kind.name(),
                &receipt.thread,
                receipt.event_id.as_str(),
                receipt.read_up_to.0,
                receipt.ts,
                receipt.position.0
            ],
        )
    }
}
