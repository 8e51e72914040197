//! Receipts: up to where users have read `[C-S §11.6]`. They take positions in the log, so that followers get them in
//! order; only the last of each user, kind and thread is kept.

use std::rc::Rc;

use ruma::{EventId, OwnedUserId, UserId, events::room::member::MembershipState};
use selvedge_protocol::json::ObjectWriter;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    RoomEngine,
    commit::Effects,
    state::State,
    store::{Receipt, Store},
    threads,
};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::room::{LogPosition, NewReceipt, Reader, ReceiptKind, ReceiveReceipts, SetReceipts},
};

/// How many receipts of others a client gets at once; the latest are enough.
const MAX_SHOWN: u32 = 500;
/// How many receipts one pull gives another server.
const MAX_SENT: u32 = 500;
/// The longest name of a thread, in bytes.
const MAX_THREAD: usize = 255;

impl RoomEngine {
    pub(super) fn set_receipts(self: &Rc<Self>, command: SetReceipts) -> Result<(), MatrixError> {
        if State::current(&self.store)?.membership(&command.user_id)? != MembershipState::Join {
            return Err(MatrixError::forbidden("You are not in this room"));
        }
        let now = self.runtime.platform.now();
        let mut news = Vec::new();
        for receipt in command.receipts {
            let receipt = self.checked(&command.user_id, receipt, now)?;
            if self.is_news(&receipt)? {
                news.push(receipt);
            }
        }
        Ok(self.write_receipts(news)?)
    }

    /// What a client hands in, as it is kept.
    fn checked(&self, user_id: &UserId, new: NewReceipt, ts: u64) -> Result<Receipt, MatrixError> {
        let event = self.store.find_event(&new.event_id)?;
        let placed = event.and_then(|event| event.position.map(|position| (event, position)));
        let (event, position) = placed.ok_or_else(|| MatrixError::not_found("There is no such event"))?;
        if let Some(thread) = &new.thread
            && !threads::may_hold_receipt(&self.store, &event.pdu, thread)?
        {
            return Err(MatrixError::invalid_param("The event is not in this thread"));
        }
        Ok(Receipt {
            user_id: user_id.to_owned(),
            kind: new.kind,
            thread: new.thread.unwrap_or_default(),
            event_id: new.event_id,
            read_up_to: position,
            ts,
            position: LogPosition(0),
        })
    }

    /// Takes in what other servers say of their users.
    pub(super) fn receive_receipts(self: &Rc<Self>, command: ReceiveReceipts) -> Result<(), MatrixError> {
        if !self.hears(&command.origin)? {
            return Ok(());
        }
        let mut news = Vec::new();
        for remote in command.receipts {
            let thread = remote.thread.unwrap_or_default();
            if thread.len() > MAX_THREAD || !self.passes_for_joined(&remote.user_id)? {
                continue;
            }
            let event = self.store.find_event(&remote.event_id)?;
            let receipt = Receipt {
                user_id: remote.user_id,
                kind: ReceiptKind::Read,
                thread,
                event_id: remote.event_id,
                read_up_to: event.and_then(|event| event.position).unwrap_or_default(),
                ts: remote.ts.min((1 << 53) - 1),
                position: LogPosition(0),
            };
            if self.is_news(&receipt)? {
                news.push(receipt);
            }
        }
        Ok(self.write_receipts(news)?)
    }

    /// Whether a receipt goes beyond the one that it would replace.
    fn is_news(&self, receipt: &Receipt) -> Result<bool, DatabaseError> {
        let known = self.store.receipt(&receipt.user_id, receipt.kind, &receipt.thread)?;
        Ok(known.is_none_or(|known| {
            let is_ahead = receipt.read_up_to > known.read_up_to || receipt.read_up_to == LogPosition(0);
            is_ahead && known.event_id != receipt.event_id
        }))
    }

    /// Writes receipts of one user, or of users of other servers, and wakes whom they concern.
    fn write_receipts(self: &Rc<Self>, receipts: Vec<Receipt>) -> Result<(), DatabaseError> {
        let Some(last) = receipts.last() else { return Ok(()) };
        let local = self.runtime.platform.config().server_name.clone();
        let user_id = last.user_id.clone();
        let is_public = receipts.iter().any(|receipt| receipt.kind == ReceiptKind::Read);
        self.tallies.read_on(&user_id);
        let position = self.store.write(|writer| {
            let mut meta = (*writer.meta()?).clone();
            let is_idle = meta.woken_position == meta.last_position;
            for mut receipt in receipts {
                meta.last_position = LogPosition(meta.last_position.0.saturating_add(1));
                receipt.position = meta.last_position;
                writer.set_receipt(&receipt)?;
            }
            if is_idle && !is_public {
                // Nobody else is owed anything.
                meta.woken_position = meta.last_position;
            }
            let position = meta.last_position;
            writer.set_meta(meta)?;
            Ok::<_, DatabaseError>(position)
        })?;
        if is_public {
            let broadcast = user_id.server_name() == local;
            self.wake(Effects { position: Some(position), broadcast, ..Effects::default() });
        } else {
            self.wake_one(user_id, position);
        }
        Ok(())
    }

    /// The public receipts of this server's users that took positions in `(after, up_to]`, as the EDU for other
    /// servers; `None` when there are none.
    pub(super) fn receipts_edu(
        &self,
        after: LogPosition,
        up_to: LogPosition,
    ) -> Result<Option<(String, Box<RawValue>)>, MatrixError> {
        let local = self.runtime.platform.config().server_name.clone();
        let mut by_user = Map::new();
        for receipt in self.store.receipts_between(after, up_to, MAX_SENT)? {
            if receipt.kind != ReceiptKind::Read || receipt.user_id.server_name() != local {
                continue;
            }
            let mut data = Map::from_iter([("ts".to_owned(), json!(receipt.ts))]);
            if !receipt.thread.is_empty() {
                data.insert("thread_id".to_owned(), Value::from(receipt.thread));
            }
            // An EDU has one receipt a user. The one for all threads counts most; else the latest.
            let entry = json!({"event_ids": [receipt.event_id], "data": data});
            if !by_user.contains_key(receipt.user_id.as_str()) || data_is_unthreaded(&entry) {
                by_user.insert(receipt.user_id.to_string(), entry);
            }
        }
        if by_user.is_empty() {
            return Ok(None);
        }
        let content = json!({self.store.meta()?.room_id.as_str(): {ReceiptKind::Read.name(): by_user}});
        Ok(Some(("m.receipt".to_owned(), RawValue::from_string(content.to_string())?)))
    }
}

fn data_is_unthreaded(entry: &Value) -> bool {
    entry.get("data").is_some_and(|data| data.get("thread_id").is_none())
}

/// The `m.receipt` event with what is new to a reader after a position; `None` when nothing is.
pub(super) fn event_since(
    store: &Store,
    reader: &Reader,
    after: LogPosition,
    up_to: LogPosition,
) -> Result<Option<String>, DatabaseError> {
    let mut receipts = store.receipts_between(after, up_to, MAX_SHOWN)?;
    if receipts.len() >= usize::try_from(MAX_SHOWN).unwrap_or(usize::MAX) {
        receipts.extend(store.receipts_of(&reader.user_id)?);
    }
    let is_shown = |user_id: &OwnedUserId, kind: ReceiptKind| {
        *user_id == reader.user_id || kind == ReceiptKind::Read && !reader.ignored_users.contains(user_id)
    };
    receipts.retain(|receipt| is_shown(&receipt.user_id, receipt.kind));
    if receipts.is_empty() {
        return Ok(None);
    }
    // One event can say one thing of a user, kind and event: the receipt for all threads says most.
    receipts.sort_by(|a, b| said_of(a).cmp(&said_of(b)).then(b.thread.is_empty().cmp(&a.thread.is_empty())));
    receipts.dedup_by(|later, first| said_of(later) == said_of(first));
    let mut events = ObjectWriter::new();
    for of_event in receipts.chunk_by(|a, b| a.event_id == b.event_id) {
        let [of_it, ..] = of_event else { continue };
        let mut by_kind = ObjectWriter::new();
        for of_kind in of_event.chunk_by(|a, b| a.kind == b.kind) {
            let [of_them, ..] = of_kind else { continue };
            let mut by_user = ObjectWriter::new();
            for receipt in of_kind {
                by_user.named(receipt.user_id.as_str(), &data(receipt));
            }
            by_kind.member(of_them.kind.name(), &by_user.finish());
        }
        events.named(of_it.event_id.as_str(), &by_kind.finish());
    }
    let mut event = ObjectWriter::new();
    event.member("content", &events.finish());
    event.string("type", "m.receipt");
    Ok(Some(event.finish()))
}

/// What the receipt says something of.
fn said_of(receipt: &Receipt) -> (&EventId, &str, &UserId) {
    (&receipt.event_id, receipt.kind.name(), &receipt.user_id)
}

fn data(receipt: &Receipt) -> String {
    let mut data = ObjectWriter::new();
    if !receipt.thread.is_empty() {
        data.string("thread_id", &receipt.thread);
    }
    data.member("ts", &receipt.ts.to_string());
    data.finish()
}
