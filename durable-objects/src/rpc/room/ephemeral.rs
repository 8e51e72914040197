//! Receipts and typing.

use ruma::{OwnedEventId, OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// Whether others see up to where a user has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReceiptKind {
    /// They do.
    #[serde(rename = "m.read")]
    Read,
    /// They do not.
    #[serde(rename = "m.read.private")]
    ReadPrivate,
}

impl ReceiptKind {
    /// As in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "m.read",
            Self::ReadPrivate => "m.read.private",
        }
    }

    /// The kind of this name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Read, Self::ReadPrivate].into_iter().find(|kind| kind.name() == name)
    }
}

/// A user of this server has read up to some events, one after another. `M_FORBIDDEN` unless they are in the room, also
/// when there is no receipt at all; `M_NOT_FOUND` for an event that is not here, `M_INVALID_PARAM` for one that is not
/// in the thread.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetReceipts {
    /// The user.
    pub user_id: OwnedUserId,
    /// The receipts.
    pub receipts: Vec<NewReceipt>,
}
command!(SetReceipts to Room -> ());

/// A receipt to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewReceipt {
    /// Public or private.
    pub kind: ReceiptKind,
    /// The last event read.
    pub event_id: OwnedEventId,
    /// `None` for all threads, `main`, or the id of a thread's root.
    pub thread: Option<String>,
}

/// Users of another server have read, as it says. What does not fit the room is passed over, and all of a server that
/// the room bans.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReceiveReceipts {
    /// The server that says so.
    pub origin: OwnedServerName,
    /// The receipts.
    pub receipts: Vec<RemoteReceipt>,
}
command!(ReceiveReceipts to Room -> ());

/// A public receipt from another server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoteReceipt {
    /// The user.
    pub user_id: OwnedUserId,
    /// The last event read.
    pub event_id: OwnedEventId,
    /// As in [`NewReceipt::thread`].
    pub thread: Option<String>,
    /// When, in milliseconds since the epoch.
    pub ts: u64,
}

/// A user of this server begins, goes on or ceases to type. `M_FORBIDDEN` unless they are in the room.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetTyping {
    /// The user.
    pub user_id: OwnedUserId,
    /// For how long they count as typing, in milliseconds, if nothing else is heard; `None`: they have ceased.
    pub timeout_ms: Option<u64>,
}
command!(SetTyping to Room -> ());

/// A user of another server types, or has ceased to, as their server says. Passed over unless they are in the room,
/// and the room does not ban the server.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReceiveTyping {
    /// The server that says so.
    pub origin: OwnedServerName,
    /// The user.
    pub user_id: OwnedUserId,
    /// Whether they type.
    pub is_typing: bool,
}
command!(ReceiveTyping to Room -> ());
