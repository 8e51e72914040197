//! Who of the server's users types, and up to where they have read: told to the rooms `[S-S §6, §8]`.

use std::collections::BTreeMap;

use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, RoomId,
    api::federation::transactions::edu::TypingContent,
    events::receipt::{Receipt, ReceiptThread},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::RemoteServerEngine;
use crate::{
    concurrent::each,
    matrix_error::MatrixError,
    rpc::{
        self,
        room::{ReceiveReceipts, ReceiveTyping, RemoteReceipt},
    },
};

/// How many receipts one EDU may bring; the others are left out.
const MAX_RECEIPTS: usize = 1_000;
/// How many rooms are told at the same time.
const CONCURRENCY: usize = 16;

/// By room and kind of receipt; only public ones go from server to server.
type ReceiptContent = BTreeMap<OwnedRoomId, BTreeMap<String, BTreeMap<OwnedUserId, Box<RawValue>>>>;

/// What a receipt says of one user.
#[derive(Deserialize)]
struct ReceiptData {
    data: Receipt,
    event_ids: Vec<OwnedEventId>,
}

impl RemoteServerEngine {
    pub(super) async fn hand_on_typing(&self, content: TypingContent) -> Result<(), MatrixError> {
        self.check_is_of_server(&content.user_id)?;
        if !self.knows_room(&content.room_id)? {
            return Ok(());
        }
        let command = ReceiveTyping {
            origin: self.server_name()?,
            user_id: content.user_id,
            is_typing: content.typing,
        };
        rpc::call(self.runtime.platform.as_ref(), &content.room_id, &command).await
    }

    /// Tells each room of the receipts in it. One that is malformed, or of a user of another server, is left out.
    pub(super) async fn hand_on_receipts(&self, content: ReceiptContent) -> Result<(), MatrixError> {
        let mut left = MAX_RECEIPTS;
        let mut rooms = Vec::new();
        for (room_id, mut kinds) in content {
            if !self.knows_room(&room_id)? {
                continue;
            }
            let users = kinds.remove("m.read").unwrap_or_default().into_iter().take(left);
            let receipts: Vec<_> = users.filter_map(|(user, data)| self.read_receipt(user, &data)).collect();
            left = left.saturating_sub(receipts.len());
            rooms.push((room_id, receipts));
        }
        let origin = self.server_name()?;
        let platform = self.runtime.platform.as_ref();
        let outcomes = each(CONCURRENCY, rooms, |(room_id, receipts)| {
            let command = ReceiveReceipts { origin: origin.clone(), receipts };
            rpc::call(platform, &room_id, &command)
        });
        outcomes.await.into_iter().collect()
    }

    fn read_receipt(&self, user_id: OwnedUserId, data: &RawValue) -> Option<RemoteReceipt> {
        self.check_is_of_server(&user_id).ok()?;
        let ReceiptData { data, event_ids } = serde_json::from_str(data.get()).ok()?;
        let thread = match data.thread {
            ReceiptThread::Unthreaded => None,
            thread => Some(thread.as_str()?.to_owned()),
        };
        Some(RemoteReceipt {
            user_id,
            event_id: event_ids.into_iter().next_back()?,
            thread,
            ts: data.ts.map_or(0, |ts| ts.0.into()),
        })
    }

    /// Whether the server is known to take part in a room: no other is bothered, or brought into being, by an EDU.
    fn knows_room(&self, room_id: &RoomId) -> Result<bool, MatrixError> {
        Ok(self.known_rooms.borrow().contains(room_id) || self.is_shared(room_id)?)
    }
}
