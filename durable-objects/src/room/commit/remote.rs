//! Events of other servers `[S-S §5.1.1, checks performed on receipt of a PDU]`.
//!
//! Steps 1 to 3 made the event a [`VerifiedPdu`]; 4 to 7 are here.

use std::{collections::BTreeMap, rc::Rc};

use ruma::{OwnedEventId, ServerName};
use selvedge_protocol::{
    event::{Pdu, VerifiedPdu},
    nid::EventNid,
    state_tree::StateRoot,
};

use super::{
    CommitError, Effects, Session,
    admit::{Admission, Place},
    checks::{Claims, find_auth_events},
};
use crate::{
    database::DatabaseError,
    room::{
        RoomEngine,
        store::{Gap, Standing, StoredEvent},
    },
    rpc::room::LogPosition,
};

/// An event that another server sent.
#[derive(Debug, Clone)]
pub struct RemoteEvent {
    /// The event.
    pub pdu: VerifiedPdu,
    /// What was asked of another server (see [`RoomEngine::root_of`]), where previous events are
    /// missing that cannot be had.
    pub told: Option<ToldState>,
    /// Whether this server must pass it on: a join, leave or knock that was made through it.
    pub broadcast: bool,
    /// Why the room's policy server has not signed it, once it was asked.
    pub refusal: Option<String>,
}

/// A state of which another server told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldState {
    /// The one before the event. It is taken as it is: resolving it with the states of those previous
    /// events that are here would be resolving a second time, which may give something else.
    Before(StateRoot),
    /// The one after all previous events that are missing, to be resolved with those after the others.
    AfterMissing(StateRoot),
}

/// What came of an event of another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// It was in the room before.
    Known,
    /// It is in the room; where in the log, unless it is a redaction whose target is missing.
    Accepted(Option<LogPosition>),
    /// It breaks a rule now, and did not when it was sent: in the DAG, and not shown.
    SoftFailed(String),
    /// It breaks a rule.
    Rejected(String),
    /// These events are needed first. Nothing was written.
    Missing {
        /// Previous events without known state.
        prevs: Vec<OwnedEventId>,
        /// Auth events.
        auth: Vec<OwnedEventId>,
    },
    /// History that nothing in the room leads to. Nothing was written.
    Unconnected,
}

/// An event of the past.
#[derive(Debug, Clone)]
pub struct HistoryEvent {
    /// The event.
    pub pdu: VerifiedPdu,
    /// What was asked of another server, where its previous events are missing.
    pub told: Option<ToldState>,
}

/// An event with what it refers to.
pub(super) struct Surroundings {
    pub auth: Vec<Rc<StoredEvent>>,
    pub prevs: Vec<EventNid>,
    missing: Vec<OwnedEventId>,
    pub before: StateRoot,
    /// What was told of the state before, if that is used.
    told: Option<ToldState>,
    /// Whether the state before lacks members.
    is_partial: bool,
    /// Whether it is a join with which a stay of this server begins.
    begins: bool,
}

impl Surroundings {
    fn claims(&self) -> Option<Claims<'_>> {
        self.is_partial.then_some(&*self.auth)
    }
}

impl RoomEngine {
    /// Takes in a new event of another server.
    ///
    /// [`CommitError::Unrecommended`] when the room's policy server must be asked first: then it is to be given again,
    /// signed or with the refusal.
    ///
    /// The effects are to be given to [`RoomEngine::wake`].
    pub fn receive(
        &self,
        local: &ServerName,
        event: &RemoteEvent,
    ) -> Result<(Received, Effects), CommitError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            let received = session.receive(event)?;
            Ok(match received {
                Received::Known | Received::Missing { .. } => (received, Effects::default()),
                _ => (received, session.finish()?),
            })
        })
    }

    /// Takes in events of the past, oldest first: the answer to a backfill. They go where the history
    /// that they are of was missing, and change nothing of the present.
    ///
    /// The effects are to be given to [`RoomEngine::wake`].
    pub fn receive_history(
        &self,
        local: &ServerName,
        events: &[HistoryEvent],
    ) -> Result<(Vec<Received>, Effects), CommitError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            let places = session.places(events)?;
            let received = events.iter().zip(places).map(|(event, place)| match place {
                Some(place) => session.receive_old(event, place),
                None => Ok(Received::Unconnected),
            });
            let received = received.collect::<Result<Vec<_>, CommitError>>()?;
            Ok((received, session.finish()?))
        })
    }
}

impl Session<'_, '_> {
    fn receive(&mut self, event: &RemoteEvent) -> Result<Received, CommitError> {
        let pdu = &*event.pdu;
        self.require_room(pdu)?;
        if self.is_placed(pdu.event_id())? {
            return Ok(Received::Known);
        }
        let around = match self.surroundings(&event.pdu, event.told)? {
            Ok(around) => around,
            Err(missing) => return Ok(missing),
        };
        let (standing, broken) = match self.check_history(pdu, &around)? {
            Some(broken) => (Standing::Rejected, Some(broken)),
            None => match self.check_now(event, &around)? {
                Some(broken) => (Standing::SoftFailed, Some(broken)),
                None => (Standing::Accepted, None),
            },
        };
        self.place(pdu, &around, standing, broken, Place::End, event.broadcast)
    }

    /// Takes in the join that ends an import. There is no current state to check it against: what came
    /// with it becomes that. `is_partial`: what came with it lacks members.
    pub(super) fn receive_join(
        &mut self,
        join: &VerifiedPdu,
        before: StateRoot,
        is_partial: bool,
    ) -> Result<Received, CommitError> {
        self.require_room(join)?;
        if self.is_placed(join.event_id())? {
            return Ok(Received::Known);
        }
        let auth = match find_auth_events(self.writer, join)? {
            Ok(auth) => auth,
            Err(auth) => return Ok(Received::Missing { prevs: Vec::new(), auth }),
        };
        let mut missing = join.prev_events().to_vec();
        for index in (0..missing.len()).rev() {
            if let Some(id) = missing.get(index)
                && self.is_placed(id)?
            {
                missing.remove(index);
            }
        }
        let told = (!is_partial).then_some(ToldState::Before(before));
        // Who comes back before the state of the last stay is whole goes on from that.
        let is_connected = is_partial && self.meta.is_partial && missing.is_empty();
        self.meta.is_partial |= is_partial;
        let around = match self.surroundings(join, None)? {
            Ok(around) if is_connected => around,
            _ => {
                // The history of an earlier stay ends where it ended; the room goes on from the join.
                self.meta.extremities.clear();
                self.meta.horizon = join.depth();
                Surroundings { auth, prevs: Vec::new(), missing, before, told, is_partial, begins: true }
            }
        };
        let broken = self.check_history(join, &around)?;
        let standing = if broken.is_none() { Standing::Accepted } else { Standing::Rejected };
        self.place(join, &around, standing, broken, Place::End, false)
    }

    fn receive_old(&mut self, event: &HistoryEvent, place: Place) -> Result<Received, CommitError> {
        self.require_room(&event.pdu)?;
        if self.is_placed(event.pdu.event_id())? {
            return Ok(Received::Known);
        }
        let around = match self.surroundings(&event.pdu, event.told)? {
            Ok(around) => around,
            Err(missing) => return Ok(missing),
        };
        let broken = self.check_history(&event.pdu, &around)?;
        let standing = if broken.is_none() { Standing::Accepted } else { Standing::Rejected };
        self.place(&event.pdu, &around, standing, broken, place, false)
    }

    /// Steps 4 and 5; the rule that the event breaks.
    fn check_history(&self, pdu: &Pdu, around: &Surroundings) -> Result<Option<String>, DatabaseError> {
        // An outlier that was rejected stays so.
        let outlier = self.writer.find_event(pdu.event_id())?;
        if let Some(outlier) = outlier.filter(|outlier| outlier.standing == Standing::Rejected) {
            return Ok(Some(outlier.rejection.clone().unwrap_or_default()));
        }
        let mut broken = self.check_by_auth_events(pdu, &around.auth)?;
        if broken.is_none() {
            broken = self.check_by_state(pdu, around.before, around.claims())?;
        }
        Ok(broken.map(|rule| rule.to_string()))
    }

    /// Steps 6 and 7; why the event is not for the room as it is now.
    fn check_now(&self, event: &RemoteEvent, around: &Surroundings) -> Result<Option<String>, CommitError> {
        let claims = self.meta.is_partial.then_some(&*around.auth);
        if around.before != self.meta.root
            && let Some(broken) = self.check_by_state(&event.pdu, self.meta.root, claims)?
        {
            return Ok(Some(broken.to_string()));
        }
        let Some(policy) = self.lacks_recommendation(&event.pdu)? else { return Ok(None) };
        match &event.refusal {
            Some(refusal) => Ok(Some(format!("{} has not recommended it: {refusal}", policy.name))),
            None => Err(CommitError::Unrecommended(policy)),
        }
    }

    fn place(
        &mut self,
        pdu: &Pdu,
        around: &Surroundings,
        standing: Standing,
        broken: Option<String>,
        place: Place,
        broadcast: bool,
    ) -> Result<Received, CommitError> {
        let nid = self.admit(&Admission {
            pdu,
            standing,
            rejection: broken.clone(),
            auth: &around.auth,
            prevs: &around.prevs,
            missing: &around.missing,
            before: around.before,
            told: around.told,
            begins: around.begins,
            place,
            broadcast,
            txn: None,
        })?;
        let broken = broken.unwrap_or_default();
        Ok(match standing {
            Standing::SoftFailed => Received::SoftFailed(broken),
            Standing::Rejected => Received::Rejected(broken),
            _ => Received::Accepted(self.writer.event_position(nid)?),
        })
    }

    /// Finds what an event refers to, and the state before it. The inner error: what is missing.
    pub(super) fn surroundings(
        &mut self,
        pdu: &Pdu,
        told: Option<ToldState>,
    ) -> Result<Result<Surroundings, Received>, CommitError> {
        let mut prevs = Vec::with_capacity(pdu.prev_events().len());
        let mut roots = Vec::with_capacity(pdu.prev_events().len());
        let mut missing = Vec::new();
        for id in pdu.prev_events() {
            let prev = self.writer.find_nid(id)?.map(|nid| self.writer.event_row(nid)).transpose()?;
            match prev.and_then(|prev| Some((prev.nid, prev.states?))) {
                Some((nid, states)) => {
                    prevs.push(nid);
                    roots.push(states.after);
                }
                None => missing.push(id.clone()),
            }
        }
        let auth = find_auth_events(self.writer, pdu)?;
        let is_lost = told.is_none() && !missing.is_empty();
        let auth = match auth {
            Ok(auth) if !is_lost => auth,
            auth => {
                let prevs = if is_lost { missing } else { Vec::new() };
                return Ok(Err(Received::Missing { prevs, auth: auth.err().unwrap_or_default() }));
            }
        };
        // Where all previous events are here, what is known is better than what another server tells.
        let told = told.filter(|_| !missing.is_empty());
        let before = match told {
            Some(ToldState::Before(root)) => root,
            Some(ToldState::AfterMissing(root)) => {
                roots.push(root);
                self.resolve(&roots)?
            }
            None => self.resolve(&roots)?,
        };
        let is_partial = self.is_partial_after(&prevs, told)?;
        Ok(Ok(Surroundings { auth, prevs, missing, before, told, is_partial, begins: false }))
    }

    /// Where in the log each of the events goes: in front of what it was missing from. `None` for those
    /// that nothing leads to.
    fn places(&mut self, events: &[HistoryEvent]) -> Result<Vec<Option<Place>>, CommitError> {
        let mut gap_of: BTreeMap<&OwnedEventId, Option<u64>> = BTreeMap::new();
        let mut gaps = Vec::with_capacity(events.len());
        for event in events.iter().rev() {
            let waiting = self.writer.missing_prev(event.pdu.event_id())?;
            let id = event.pdu.event_id().to_owned();
            let known = gap_of.get(&id).copied();
            let from_room = waiting.iter().map(|missing| missing.gap).max();
            let gap = from_room.max(known);
            if let Some(gap) = gap {
                for prev in event.pdu.prev_events() {
                    let earlier = gap_of.entry(prev).or_default();
                    *earlier = (*earlier).max(gap);
                }
            }
            gaps.push(gap);
        }
        gaps.reverse();
        let mut ends: BTreeMap<u64, LogPosition> = BTreeMap::new();
        for id in gaps.iter().flatten().flatten() {
            if !ends.contains_key(id) {
                let wanted = gaps.iter().filter(|gap| **gap == Some(Some(*id))).count();
                ends.insert(*id, self.take_from_gap(*id, wanted)?);
            }
        }
        let places = gaps.into_iter().map(|gap| {
            let gap = gap?;
            let Some((id, position)) = gap.and_then(|id| Some((id, ends.get_mut(&id)?))) else {
                return Some(Place::Nowhere);
            };
            *position = LogPosition(position.0.saturating_add(1));
            Some(Place::Gap { id, position: *position })
        });
        Ok(places.collect())
    }

    /// Takes `count` positions from a gap; the one before the first of them.
    fn take_from_gap(&mut self, id: u64, count: usize) -> Result<LogPosition, DatabaseError> {
        let gap = self.writer.gap(id)?;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let before = LogPosition(gap.free.0.saturating_sub(count));
        // What is before the gap is older than all that fills it, and must stay before it.
        let last = self.writer.log_last(gap.free)?.map_or(LogPosition(0), |entry| entry.position);
        if gap.free.0 < count || before < last {
            return Err(DatabaseError::corrupt("a gap of the log has no room left"));
        }
        self.writer.set_gap(Gap { id, free: before })?;
        Ok(before)
    }
}
