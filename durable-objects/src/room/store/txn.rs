//! The transactions of clients.

use ruma::{OwnedEventId, UserId};

use super::Store;
use crate::{
    database::{DatabaseError, DatabaseExt},
    params,
};

const BY_TXN: &str = "SELECT event_id FROM event WHERE sender = ? AND txn = ? AND type = ?";

/// The transaction by which a client of this server sent an event `[C-S §2.8]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Txn {
    /// The device; empty for an access token without one.
    pub device_id: String,
    /// The client's transaction id.
    pub txn_id: String,
    /// The event in the path of a redaction, which has transactions of its own.
    pub redacts: Option<OwnedEventId>,
}

impl Txn {
    pub(super) fn column(&self) -> String {
        // Ids may hold spaces; the lengths in front keep them apart.
        let device = &self.device_id;
        match &self.redacts {
            Some(target) => {
                format!("{}+{} {device}{target} {}", device.len(), target.as_str().len(), self.txn_id)
            }
            None => format!("{} {device} {}", device.len(), self.txn_id),
        }
    }

    pub(super) fn of(column: &str) -> Option<Self> {
        let (lengths, rest) = column.split_once(' ')?;
        let (device, target) = lengths.split_once('+').unwrap_or((lengths, "0"));
        let (device_id, rest) = rest.split_at_checked(device.parse().ok()?)?;
        let (target, rest) = rest.split_at_checked(target.parse().ok()?)?;
        Some(Self {
            device_id: device_id.to_owned(),
            txn_id: rest.strip_prefix(' ')?.to_owned(),
            redacts: OwnedEventId::try_from(target).ok(),
        })
    }
}

impl Store {
    /// The event that a client sent before with this transaction.
    pub fn find_txn(
        &self,
        sender: &UserId,
        txn: &Txn,
        event_type: &str,
    ) -> Result<Option<OwnedEventId>, DatabaseError> {
        let id: Option<String> =
            self.db()
                .query_first(BY_TXN, params![sender.as_str(), &txn.column(), event_type], |row| row.get(0))?;
        id.map(|id| OwnedEventId::try_from(id).map_err(|_| DatabaseError::corrupt("event id"))).transpose()
    }
}
