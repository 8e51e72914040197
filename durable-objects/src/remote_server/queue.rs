//! The outbound queue `[S-S §4]`: durable, in order, at most one transaction in flight.
//!
//! A wake only marks a room as ahead, and sees to it that an alarm will ring. Then, at once, a transaction
//! is formed from the rooms' logs and the waiting EDUs, stored, sent, and sent again until it has arrived;
//! so whatever stops the process in between, nothing is lost and nothing arrives under two ids.

use std::{rc::Rc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use ruma::{MilliSecondsSinceUnixEpoch, UInt, api::federation::transactions::send_transaction_message};
use serde_json::value::RawValue;

use super::{
    RemoteServerEngine,
    store::{Backoff, QueueStore, StoredTransaction},
};
use crate::{
    federation::{self, Bounds, FederationError},
    matrix_error::MatrixError,
    platform::random,
    rpc::{
        self,
        remote_server::{Keep, OutboundEdu, RoomChanged, SendEdus, SendPdus},
        room::PullForServer,
    },
};

/// Events in one transaction `[S-S §4]`.
const MAX_PDUS: usize = 50;
/// Of these, events that no room gives.
const MAX_SINGLE_PDUS: u32 = 20;
/// EDUs in one transaction `[S-S §4]`.
const MAX_EDUS: usize = 100;
/// Durable EDUs in one transaction, in bytes; one that has more goes alone. A transaction is one row, of 2 MB at most.
const MAX_EDU_BYTES: usize = 512 << 10;
/// Events of rooms in one transaction, in bytes.
const MAX_PDU_BYTES: usize = 768 << 10;
/// So many events of the largest size fit.
const MAX_LARGE_PDUS: usize = MAX_PDU_BYTES / (64 << 10);
/// Rooms that are read for one transaction.
const MAX_ROOMS: u32 = 50;
/// Volatile EDUs that wait at once.
const MAX_VOLATILE: usize = 100;
/// Transactions sent in one go, whose time is bounded.
const MAX_IN_A_ROW: usize = 20;
/// When the alarm rings that goes on where a stopped process left off.
const GUARD: Duration = Duration::from_secs(10);
/// A server that did not answer for so long gets only the latest of each room.
const CATCH_UP_AFTER: Duration = Duration::from_mins(15);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_hours(1);
const TIMEOUT: Duration = Duration::from_mins(1);

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl RemoteServerEngine {
    pub(super) fn queue(&self) -> QueueStore<'_> {
        QueueStore(self.runtime.db.as_ref())
    }

    /// A room has something for the server.
    pub(super) async fn room_changed(self: &Rc<Self>, command: RoomChanged) -> Result<(), MatrixError> {
        if self.queue().mark_ahead(command.room_id.as_str(), command.after, command.position)? {
            self.ring().await?;
        }
        Ok(())
    }

    /// Takes EDUs for the server.
    pub(super) async fn send_edus(self: &Rc<Self>, command: SendEdus) -> Result<(), MatrixError> {
        let away = self.queue().backoff()?.failures > 0;
        for edu in command.edus {
            match &edu.keep {
                Keep::Volatile if away => {}
                Keep::Volatile => self.push_volatile(edu),
                Keep::Durable => self.queue().push_edu(&edu.edu_type, None, edu.content.get())?,
                Keep::Latest(name) => self.queue().push_edu(&edu.edu_type, Some(name), edu.content.get())?,
            }
        }
        self.ring().await
    }

    /// Takes events for the server that its rooms do not give.
    pub(super) async fn send_pdus(self: &Rc<Self>, command: SendPdus) -> Result<(), MatrixError> {
        for pdu in command.pdus {
            self.queue().push_pdu(pdu.get())?;
        }
        self.ring().await
    }

    fn push_volatile(&self, edu: OutboundEdu) {
        let mut waiting = self.volatile.borrow_mut();
        if waiting.len() >= MAX_VOLATILE {
            waiting.pop_front();
        }
        waiting.push_back(edu);
    }

    /// The server was heard of: whatever it is owed can be tried at once.
    pub(super) async fn heard_of(self: &Rc<Self>) -> Result<(), MatrixError> {
        let backoff = self.queue().backoff()?;
        if backoff.failures > 0 {
            self.queue().set_backoff(Backoff { retry_ts: 0, ..backoff })?;
            self.ring().await?;
        }
        Ok(())
    }

    /// Starts the next attempt when it is due, unless one is under way.
    pub(super) async fn ring(self: &Rc<Self>) -> Result<(), MatrixError> {
        if self.sending.get() {
            return Ok(());
        }
        let now = self.runtime.platform.now();
        let due = self.queue().backoff()?.retry_ts;
        if due > now {
            self.set_alarm(due).await;
            return Ok(());
        }
        self.guard(now).await;
        let engine = Rc::clone(self);
        let task = async move {
            engine.pump().await;
            engine.have_listed().await;
        };
        self.runtime.platform.spawn(task.boxed_local());
        Ok(())
    }

    /// Sees to it that an alarm rings soon, whatever becomes of this process.
    async fn guard(&self, now: u64) {
        let latest = now.saturating_add(millis(GUARD));
        if self.alarm_at.get() <= now || self.alarm_at.get() > latest {
            self.set_alarm(latest).await;
        }
    }

    async fn set_alarm(&self, at: u64) {
        self.alarm_at.set(at);
        self.runtime.platform.set_alarm(at).await;
    }

    /// The alarm rang: goes on with what a stopped process left, and with what was put off.
    pub(super) async fn alarm_rang(&self) {
        self.alarm_at.set(0);
        if self.sending.get() {
            self.guard(self.runtime.platform.now()).await;
        } else {
            self.pump().await;
        }
    }

    /// Sends what there is, until there is nothing more, or the server fails.
    async fn pump(&self) {
        if self.sending.replace(true) {
            return;
        }
        let next = self.send_all().await;
        self.sending.set(false);
        match next {
            Ok(None) => {}
            Ok(Some(at)) => self.set_alarm(at).await,
            Err(error) => {
                crate::log::error("outbound queue", &error.to_string());
                self.set_alarm(self.runtime.platform.now().saturating_add(millis(FIRST_RETRY))).await;
            }
        }
    }

    /// As [`Self::pump`]; gives the time at which to go on, if there is more.
    async fn send_all(&self) -> Result<Option<u64>, MatrixError> {
        for _ in 0..MAX_IN_A_ROW {
            let backoff = self.queue().backoff()?;
            let now = self.runtime.platform.now();
            if backoff.retry_ts > now {
                return Ok(Some(backoff.retry_ts));
            }
            let transaction = match self.queue().transaction()? {
                Some(in_flight) => in_flight,
                None => match self.form(backoff).await? {
                    Some(formed) => formed,
                    None => return Ok(None),
                },
            };
            match self.transmit(&transaction).await {
                Ok(()) => self.queue().arrived(&transaction)?,
                Err(FederationError::Internal(error)) => return Err(error),
                Err(error) => {
                    crate::log::warn("outbound queue", &error.to_string());
                    let backoff = self.after_failure(backoff);
                    self.queue().set_backoff(backoff)?;
                    self.volatile.borrow_mut().clear();
                    return Ok(Some(backoff.retry_ts));
                }
            }
        }
        Ok(Some(self.runtime.platform.now()))
    }

    /// Twice as long as the last time, give or take a quarter, so that servers do not all come at once.
    fn after_failure(&self, before: Backoff) -> Backoff {
        let now = self.runtime.platform.now();
        let doublings = u32::try_from(before.failures.min(20)).unwrap_or(20);
        let wait = millis(FIRST_RETRY).saturating_mul(1 << doublings).min(millis(LAST_RETRY));
        let [jitter] = random::<1>(self.runtime.platform.as_ref());
        let wait = wait.saturating_mul(u64::from(jitter).saturating_add(384)) / 512;
        Backoff {
            last_ts: now,
            failures: before.failures.saturating_add(1),
            since_ts: if before.failures == 0 { now } else { before.since_ts },
            retry_ts: now.saturating_add(wait),
        }
    }

    /// Forms and stores the next transaction; `None` when nothing is owed.
    async fn form(&self, backoff: Backoff) -> Result<Option<StoredTransaction>, MatrixError> {
        let mut behind = self.queue().behind(MAX_ROOMS)?;
        loop {
            let formed = self.try_form(backoff).await?;
            // Rooms whose logs held nothing for this server were passed over; others may have woken meanwhile.
            let still = self.queue().behind(MAX_ROOMS)?;
            if formed.is_some() || still.is_empty() {
                return Ok(formed);
            }
            if still == behind {
                return Err(MatrixError::internal("rooms that told of news give none"));
            }
            behind = still;
        }
    }

    async fn try_form(&self, backoff: Backoff) -> Result<Option<StoredTransaction>, MatrixError> {
        let now = self.runtime.platform.now();
        let catch_up = backoff.failures > 0 && now.saturating_sub(backoff.since_ts) > millis(CATCH_UP_AFTER);
        let server = self.server_name()?;
        let (mut pdus, mut edus, mut cursors) = (Vec::new(), Vec::new(), Vec::new());
        let stored = self.queue().edus(u32::try_from(MAX_EDUS).unwrap_or(u32::MAX), MAX_EDU_BYTES)?;
        let last_edu = stored.last().map_or(0, |(id, ..)| *id);
        for (_, edu_type, content) in stored {
            edus.push(edu_json(&edu_type, &RawValue::from_string(content)?)?);
        }
        let single = self.queue().pdus(MAX_SINGLE_PDUS)?;
        let last_pdu = single.last().map_or(0, |(id, _)| *id);
        for (_, json) in single {
            pdus.push(RawValue::from_string(json)?);
        }
        for (room_id, after) in self.queue().behind(MAX_ROOMS)? {
            let limit = MAX_PDUS.saturating_sub(pdus.len());
            if limit == 0 || edus.len() >= MAX_EDUS {
                break;
            }
            let platform = self.runtime.platform.as_ref();
            let mut pull = PullForServer { server: server.clone(), after, limit, catch_up };
            let mut pulled = rpc::call(platform, &room_id, &pull).await?;
            if size(&pdus).saturating_add(size(&pulled.pdus)) > MAX_PDU_BYTES {
                if !cursors.is_empty() {
                    break;
                }
                pull.limit = limit.min(MAX_LARGE_PDUS);
                pulled = rpc::call(platform, &room_id, &pull).await?;
            }
            let room_for_edus = MAX_EDUS.saturating_sub(edus.len());
            for (edu_type, content) in pulled.edus.iter().take(room_for_edus) {
                edus.push(edu_json(edu_type, content)?);
            }
            if pulled.pdus.is_empty() && pulled.edus.is_empty() {
                self.queue().advance(room_id.as_str(), pulled.position, pulled.more)?;
                continue;
            }
            if pulled.more {
                self.queue().log_goes_on(room_id.as_str(), pulled.position)?;
            }
            pdus.extend(pulled.pdus.into_iter().take(limit));
            cursors.push((room_id, pulled.position));
        }
        while edus.len() < MAX_EDUS
            && let Some(edu) = self.volatile.borrow_mut().pop_front()
        {
            edus.push(edu_json(&edu.edu_type, &edu.content)?);
        }
        if pdus.is_empty() && edus.is_empty() {
            return Ok(None);
        }
        // Nothing awaits from here on: what was taken from memory is in the stored transaction.
        let token = random::<9>(self.runtime.platform.as_ref());
        let transaction = StoredTransaction {
            txn_id: URL_SAFE_NO_PAD.encode(token),
            pdus: serde_json::to_string(&pdus)?,
            edus: serde_json::to_string(&edus)?,
            cursors,
            last_edu,
            last_pdu,
            sent_ts: now,
        };
        self.queue().insert(&transaction)?;
        Ok(Some(transaction))
    }

    async fn transmit(&self, transaction: &StoredTransaction) -> Result<(), FederationError> {
        let broken = |error: serde_json::Error| FederationError::Internal(error.into());
        let platform = self.runtime.platform.as_ref();
        let server = self.server_name().map_err(FederationError::Internal)?;
        let origin = platform.config().server_name.clone();
        let sent = MilliSecondsSinceUnixEpoch(UInt::try_from(transaction.sent_ts).unwrap_or_default());
        let id = transaction.txn_id.as_str().into();
        let mut request = send_transaction_message::v1::Request::new(id, origin, sent);
        request.pdus = serde_json::from_str(&transaction.pdus).map_err(broken)?;
        request.edus = serde_json::from_str(&transaction.edus).map_err(broken)?;
        let timeout_ms = u32::try_from(millis(TIMEOUT)).unwrap_or(u32::MAX);
        let bounds = Bounds { timeout_ms, ..Bounds::default() };
        let answer = federation::send(platform, &server, request, bounds).await?;
        for (event_id, outcome) in answer.pdus {
            if let Err(reason) = outcome {
                crate::log::warn("outbound queue", &format!("{server} does not take {event_id}: {reason}"));
            }
        }
        Ok(())
    }
}

/// How many bytes these are together.
fn size(events: &[Box<RawValue>]) -> usize {
    events.iter().map(|event| event.get().len()).sum()
}

fn edu_json(edu_type: &str, content: &RawValue) -> Result<Box<RawValue>, MatrixError> {
    #[derive(serde::Serialize)]
    struct Edu<'e> {
        edu_type: &'e str,
        content: &'e RawValue,
    }
    Ok(serde_json::value::to_raw_value(&Edu { edu_type, content })?)
}
