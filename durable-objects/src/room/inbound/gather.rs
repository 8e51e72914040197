//! Bringing together what an event needs before it can be committed, within bounds: a server that
//! sends one event must not be able to keep this one busy, or to fill it.

use std::{cell::Cell, rc::Rc};

use ruma::{
    EventId, OwnedEventId, OwnedServerName, ServerName,
    api::{
        OutgoingRequest,
        federation::{
            authentication::ServerSignatures,
            authorization::get_event_authorization::v1 as get_event_authorization,
            event::get_event::v1 as get_event,
        },
        path_builder::SinglePath,
    },
    room_version_rules::RoomVersionRules,
};
use selvedge_protocol::{event::VerifiedPdu, policy_server::PolicyServer};
use serde_json::value::RawValue;

use crate::{
    concurrent::each,
    database::DatabaseError,
    federation::{self, Bounds, FederationError, verify::verify_pdus},
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        commit::{CommitError, Outlier, Received, RemoteEvent, ToldState},
        policy,
        store::Standing,
    },
};

/// How long the events of one call may take to be gathered, in milliseconds.
const MAX_TIME_MS: u64 = 45_000;
/// How long one question may take, in milliseconds.
const MAX_QUESTION_MS: u64 = 15_000;
/// How many events may be fetched for the events of one call, whole states aside.
const MAX_EVENTS: usize = 1_000;
/// How many bytes an answer may have that is one event.
const MAX_EVENT_BYTES: usize = 512 << 10;
/// How many bytes an answer may have that is an auth chain.
const MAX_CHAIN_BYTES: usize = 8 << 20;
/// How many questions are asked at the same time.
const CONCURRENCY: usize = 10;
/// How often what an event lacks is looked for before it is given up.
const MAX_ATTEMPTS: usize = 4;
/// How deep auth events are followed one by one.
const MAX_AUTH_ROUNDS: usize = 8;

/// Why an event was not taken in.
#[derive(Debug, thiserror::Error)]
pub(in crate::room) enum GatherError {
    /// What the event needs cannot be had.
    #[error("{0}")]
    Unavailable(String),
    /// The answer to a question is not what it should be.
    #[error("{0}")]
    Garbled(String),
    /// Fetching took too long, or brought too much.
    #[error("gathering what it needs went beyond its bounds")]
    Exhausted,
    /// This server failed.
    #[error(transparent)]
    Internal(MatrixError),
}

impl GatherError {
    /// The same, with the server that was asked.
    #[must_use]
    pub fn of(self, server: &ServerName) -> Self {
        match self {
            Self::Unavailable(reason) => Self::Unavailable(format!("{server}: {reason}")),
            other => other,
        }
    }

    /// The reason for the sender, unless the failure is this server's own.
    pub fn refusal(self) -> Result<String, MatrixError> {
        match self {
            Self::Internal(error) => Err(error),
            other => Ok(other.to_string()),
        }
    }
}

impl From<DatabaseError> for GatherError {
    fn from(error: DatabaseError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<CommitError> for GatherError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Database(error) => error.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<FederationError> for GatherError {
    fn from(error: FederationError) -> Self {
        match error {
            FederationError::Internal(error) => Self::Internal(error),
            FederationError::BadAnswer { .. } => Self::Garbled(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// One gathering: for the events that one server sent together.
pub(in crate::room) struct Gather<'e> {
    pub(super) engine: &'e Rc<RoomEngine>,
    pub(super) rules: Rc<RoomVersionRules>,
    /// Who is asked for what is missing: who sent the events.
    pub(super) origin: OwnedServerName,
    deadline: u64,
    left: Cell<usize>,
    /// Whether the room's policy server did not answer: then it is not waited for again.
    is_policy_silent: Cell<bool>,
}

impl<'e> Gather<'e> {
    pub fn new(engine: &'e Rc<RoomEngine>, origin: OwnedServerName) -> Result<Self, MatrixError> {
        Self::bounded(engine, origin, MAX_TIME_MS, MAX_EVENTS)
    }

    /// A gathering that may take so many milliseconds, and fetch so many events.
    pub(super) fn bounded(
        engine: &'e Rc<RoomEngine>,
        origin: OwnedServerName,
        time_ms: u64,
        events: usize,
    ) -> Result<Self, MatrixError> {
        let deadline = engine.runtime.platform.now().saturating_add(time_ms);
        Ok(Self {
            rules: engine.store.rules()?,
            engine,
            origin,
            deadline,
            left: Cell::new(events),
            is_policy_silent: Cell::new(false),
        })
    }

    /// Takes in a new event, and before it the events between it and the room.
    pub async fn receive(&self, event: VerifiedPdu) -> Result<Received, GatherError> {
        match self.commit(&event, None, false).await? {
            Received::Missing { prevs, .. } => {
                let earlier = if prevs.is_empty() { Vec::new() } else { self.missing_events(&event).await? };
                for earlier in earlier {
                    self.receive_connecting(earlier, false).await?;
                }
                self.receive_connecting(event, false).await
            }
            received => Ok(received),
        }
    }

    /// Takes in an event. Its auth events are fetched where they are missing, and the state before it
    /// where previous events are.
    pub async fn receive_connecting(
        &self,
        event: VerifiedPdu,
        broadcast: bool,
    ) -> Result<Received, GatherError> {
        let mut before = None;
        for _ in 0..MAX_ATTEMPTS {
            match self.commit(&event, before, broadcast).await? {
                Received::Missing { prevs, auth } => {
                    // A state comes with what authorises most of what follows.
                    if prevs.is_empty() {
                        self.fetch_auth_events(event.event_id(), auth).await?;
                    } else {
                        before = Some(self.state_before(&event, &prevs).await?);
                    }
                }
                other => return Ok(other),
            }
        }
        Err(GatherError::Unavailable("It needs events that cannot be had".to_owned()))
    }

    async fn commit(
        &self,
        event: &VerifiedPdu,
        told: Option<ToldState>,
        broadcast: bool,
    ) -> Result<Received, GatherError> {
        let local = self.engine.runtime.platform.config().server_name.clone();
        let mut remote = RemoteEvent { pdu: event.clone(), told, broadcast, refusal: None };
        for _ in 0..policy::MAX_ATTEMPTS {
            match self.engine.receive(&local, &remote) {
                Err(CommitError::Unrecommended(policy)) => {
                    match self.recommendation(&policy, &remote.pdu).await {
                        Ok(signed) => remote.pdu = signed,
                        Err(refusal) => remote.refusal = Some(refusal.to_string()),
                    }
                }
                outcome => {
                    let (received, effects) = outcome?;
                    self.engine.wake(effects);
                    return Ok(received);
                }
            }
        }
        Err(GatherError::Unavailable("The room does not keep to one policy server".to_owned()))
    }

    /// Asks the room's policy server about an event whose sender did not, or got a signature that does not count now.
    /// One that does not answer costs the time of one question only.
    async fn recommendation(
        &self,
        policy: &PolicyServer,
        event: &VerifiedPdu,
    ) -> Result<VerifiedPdu, FederationError> {
        let silent = |reason: &str| FederationError::Unreachable {
            server: policy.name.to_string(),
            reason: reason.to_owned(),
        };
        if self.is_policy_silent.get() {
            return Err(silent("it did not answer before"));
        }
        let left = self.deadline.saturating_sub(self.engine.runtime.platform.now());
        let timeout_ms = u32::try_from(left).unwrap_or(u32::MAX).min(policy::MAX_TIME_MS);
        if timeout_ms == 0 {
            return Err(silent("there is no time left to ask"));
        }
        let answer = self.engine.ask_policy_server(policy, event, timeout_ms).await;
        if matches!(answer, Err(FederationError::Unreachable { .. })) {
            self.is_policy_silent.set(true);
        }
        Ok(VerifiedPdu::vouched_for(answer?, event.content_lost()))
    }

    /// Stores events without their place in the DAG; those that lack auth events are left out.
    pub(super) fn store_outliers(&self, events: &[VerifiedPdu]) -> Result<Vec<Outlier>, GatherError> {
        let local = self.engine.runtime.platform.config().server_name.clone();
        Ok(self.engine.receive_outliers(&local, events)?)
    }

    /// Whether nothing is known of an event.
    pub(super) fn is_unknown(&self, id: &EventId) -> Result<bool, DatabaseError> {
        let known = self.engine.store.find_event(id)?;
        Ok(known.is_none_or(|event| event.standing == Standing::Unchecked))
    }

    /// Fetches an event's auth events: all in one question, then those still missing one by one.
    async fn fetch_auth_events(&self, of: &EventId, missing: Vec<OwnedEventId>) -> Result<(), GatherError> {
        let request = get_event_authorization::Request::new(self.room_id()?, of.to_owned());
        match self.ask(request, MAX_CHAIN_BYTES).await {
            Ok(answer) => {
                let events = self.verify(&answer.auth_chain).await?;
                self.store_outliers(&events)?;
            }
            Err(GatherError::Unavailable(reason) | GatherError::Garbled(reason)) => {
                crate::log::warn("inbound", &format!("no auth chain of {of}: {reason}"));
            }
            Err(error) => return Err(error),
        }
        self.fetch_outliers(missing).await
    }

    /// Fetches events one by one, and what they lack to be checked, and stores them as outliers. Those
    /// that cannot be had are left out.
    pub(super) async fn fetch_outliers(&self, wanted: Vec<OwnedEventId>) -> Result<(), GatherError> {
        let mut wanted = wanted;
        let mut fetched: Vec<VerifiedPdu> = Vec::new();
        for _ in 0..MAX_AUTH_ROUNDS {
            let mut unknown = Vec::new();
            for id in wanted {
                if self.is_unknown(&id)? && !fetched.iter().any(|event| *event.event_id() == *id) {
                    unknown.push(id);
                }
            }
            unknown.sort_unstable();
            unknown.dedup();
            if unknown.is_empty() {
                break;
            }
            let answers = each(CONCURRENCY, unknown, |id| self.fetch_event(id)).await;
            wanted = Vec::new();
            for answer in answers {
                if let Some(event) = answer? {
                    wanted.extend(event.auth_events().iter().cloned());
                    fetched.push(event);
                }
            }
        }
        self.store_outliers(&fetched)?;
        Ok(())
    }

    /// Fetches one event; `None` when it cannot be had.
    pub(super) async fn fetch_event(&self, id: OwnedEventId) -> Result<Option<VerifiedPdu>, GatherError> {
        let answer = self.ask(get_event::Request::new(id.clone()), MAX_EVENT_BYTES).await;
        let json = match answer {
            Ok(answer) => answer.pdu,
            Err(GatherError::Unavailable(_) | GatherError::Garbled(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let event = self.verify(&[json]).await?.into_iter().next();
        Ok(event.filter(|event| *event.event_id() == *id))
    }

    /// Verifies events, leaving out those that are not what they claim to be, or are of another room.
    pub(super) async fn verify(&self, events: &[Box<RawValue>]) -> Result<Vec<VerifiedPdu>, GatherError> {
        let left = self.left.get().checked_sub(events.len()).ok_or(GatherError::Exhausted)?;
        self.left.set(left);
        self.verify_uncounted(events).await
    }

    /// The same for a whole state, whose size is bounded by its bytes.
    pub(super) async fn verify_uncounted(
        &self,
        events: &[Box<RawValue>],
    ) -> Result<Vec<VerifiedPdu>, GatherError> {
        let room_id = self.room_id()?;
        let platform = self.engine.runtime.platform.as_ref();
        let verified = verify_pdus(platform, events.iter().map(|event| event.get()), &self.rules).await;
        Ok(verified.into_iter().flatten().filter(|event| *event.room_id() == *room_id).collect())
    }

    /// Asks the origin, within the time that is left.
    pub(super) async fn ask<R>(
        &self,
        request: R,
        max_bytes: usize,
    ) -> Result<R::IncomingResponse, GatherError>
    where
        R: OutgoingRequest<Authentication = ServerSignatures, PathBuilder = SinglePath>,
    {
        let platform = self.engine.runtime.platform.as_ref();
        let left = self.deadline.saturating_sub(platform.now()).min(MAX_QUESTION_MS);
        if left == 0 {
            return Err(GatherError::Exhausted);
        }
        let bounds = Bounds { timeout_ms: u32::try_from(left).unwrap_or(u32::MAX), max_bytes };
        Ok(federation::send(platform, &self.origin, request, bounds).await?)
    }

    pub(super) fn room_id(&self) -> Result<ruma::OwnedRoomId, DatabaseError> {
        Ok(self.engine.store.meta()?.room_id.clone())
    }
}
