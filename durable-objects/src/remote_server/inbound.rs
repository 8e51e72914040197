//! Transactions of the server `[S-S §4]`: one after the other, each once.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use futures_util::lock::Mutex;
use ruma::{OwnedEventId, OwnedRoomId};

use super::RemoteServerEngine;
use crate::{
    concurrent::{ALL, each},
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::{
        self,
        remote_server::ReceiveTransaction,
        room::{CheckedEvent, ReceivePdus},
    },
};

const ANSWER: &str = "SELECT answer FROM inbound_transaction WHERE txn_id = ?";
const INSERT: &str = "INSERT INTO inbound_transaction (txn_id, answer) VALUES (?, ?) RETURNING id";
const FORGET: &str = "DELETE FROM inbound_transaction WHERE id <= ?";

/// How many transactions are remembered.
const REMEMBERED: u64 = 100;
/// How often a transaction is refused because a part of this server fails, before it is taken in without
/// that part: what is lost so is fetched later, when something refers to it.
const MAX_FAILURES: u32 = 3;

/// What is known in memory of transactions under way.
#[derive(Default)]
pub(super) struct Inbound {
    turn: Mutex<()>,
    /// The transaction that failed last, and how often.
    failing: RefCell<(String, u32)>,
}

type Answer = BTreeMap<OwnedEventId, Option<String>>;

impl RemoteServerEngine {
    pub(super) async fn receive_transaction(
        self: &Rc<Self>,
        command: ReceiveTransaction,
    ) -> Result<Answer, MatrixError> {
        self.heard_of().await?;
        let _turn = self.inbound.turn.lock().await;
        if let Some(answer) = self.earlier_answer(&command.txn_id)? {
            return Ok(answer);
        }
        let (answer, failure) = self.hand_to_rooms(command.pdus).await?;
        if let Some(error) = failure
            && self.count_failure(&command.txn_id) < MAX_FAILURES
        {
            return Err(error);
        }
        if let Some(error) = self.dispatch_edus(command.edus).await
            && self.count_failure(&command.txn_id) < MAX_FAILURES
        {
            return Err(error);
        }
        self.remember(&command.txn_id, &answer)?;
        Ok(answer)
    }

    fn earlier_answer(&self, txn_id: &str) -> Result<Option<Answer>, MatrixError> {
        let db = self.runtime.db.as_ref();
        let answer = db.query_first(ANSWER, params![txn_id], |row| row.get::<String>(0))?;
        Ok(answer.map(|answer| serde_json::from_str(&answer)).transpose()?)
    }

    fn remember(&self, txn_id: &str, answer: &Answer) -> Result<(), MatrixError> {
        let answer = serde_json::to_string(answer)?;
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), DatabaseError> {
            let id = db.query_first(INSERT, params![txn_id, &answer], |row| row.get::<u64>(0))?;
            db.execute(FORGET, params![id.unwrap_or(0).saturating_sub(REMEMBERED)])
        })?;
        Ok(())
    }

    fn count_failure(&self, txn_id: &str) -> u32 {
        let mut failing = self.inbound.failing.borrow_mut();
        if failing.0 != txn_id {
            *failing = (txn_id.to_owned(), 0);
        }
        failing.1 = failing.1.saturating_add(1);
        failing.1
    }

    /// Gives each room its events, all rooms at the same time. Also the failure of a room, if any failed.
    async fn hand_to_rooms(
        &self,
        pdus: Vec<(OwnedRoomId, CheckedEvent)>,
    ) -> Result<(Answer, Option<MatrixError>), MatrixError> {
        let mut rooms: BTreeMap<OwnedRoomId, Vec<CheckedEvent>> = BTreeMap::new();
        for (room_id, event) in pdus {
            rooms.entry(room_id).or_default().push(event);
        }
        self.note_rooms(rooms.keys())?;
        let origin = self.server_name()?;
        let platform = self.runtime.platform.as_ref();
        let ids_of = |pdus: &Vec<CheckedEvent>| pdus.iter().map(|event| event.event_id.clone()).collect();
        let ids: Vec<Vec<OwnedEventId>> = rooms.values().map(ids_of).collect();
        let outcomes = each(ALL, rooms, |(room_id, pdus)| {
            rpc::call(platform, &room_id, &ReceivePdus { origin: origin.clone(), pdus })
        });
        let (mut answer, mut failure) = (Answer::new(), None);
        for (ids, outcomes) in ids.into_iter().zip(outcomes.await) {
            match outcomes {
                Ok(outcomes) => answer.extend(ids.into_iter().zip(outcomes)),
                Err(error) => {
                    let reason = Some("This server failed".to_owned());
                    answer.extend(ids.into_iter().map(|id| (id, reason.clone())));
                    failure = Some(error);
                }
            }
        }
        Ok((answer, failure))
    }
}
