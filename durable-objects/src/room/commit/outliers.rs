//! Events of which only themselves are known: auth chains, and state that other servers tell of.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedEventId, ServerName};
use selvedge_protocol::{
    event::{Pdu, VerifiedPdu},
    nid::{EventNid, StateKeyNid},
    state_tree::{self, StateRoot},
};

use super::{
    CommitError, Session,
    checks::{find_auth_events, nids},
};
use crate::{
    database::DatabaseError,
    room::{
        RoomEngine,
        state::State,
        store::{NewRow, Standing},
    },
};

/// What became of an event that was handed in as an outlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlier {
    /// It is stored, or was; `true` when it was rejected.
    Stored {
        /// Whether it was rejected.
        is_rejected: bool,
    },
    /// These auth events are needed first. Nothing was written for it.
    Missing(Vec<OwnedEventId>),
}

impl RoomEngine {
    /// Stores events without their place in the DAG, in whatever order, checked against their auth
    /// events. What came of each is returned in the order given.
    pub fn receive_outliers(
        &self,
        local: &ServerName,
        events: &[VerifiedPdu],
    ) -> Result<Vec<Outlier>, CommitError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            let mut outcomes: BTreeMap<usize, Outlier> = BTreeMap::new();
            for index in order_by_auth(events) {
                if let Some(event) = events.get(index) {
                    outcomes.insert(index, session.store_outlier(event)?);
                }
            }
            let _ = session.finish()?;
            Ok(outcomes.into_values().collect())
        })
    }

    /// The root of the state that consists of these events, of which those that were rejected are left
    /// out: what another server says was the state before an event. The inner error: those that are
    /// not here.
    pub fn root_of(
        &self,
        local: &ServerName,
        event_ids: &[OwnedEventId],
    ) -> Result<Result<StateRoot, Vec<OwnedEventId>>, CommitError> {
        self.store.write(|writer| Session::open(writer, local)?.root_of(event_ids))
    }
}

/// The events' indices such that each comes after those of its auth events that are among them.
fn order_by_auth(events: &[VerifiedPdu]) -> Vec<usize> {
    let index_of: BTreeMap<_, _> =
        events.iter().enumerate().map(|(index, event)| (event.event_id(), index)).collect();
    let mut done = BTreeSet::new();
    let mut order = Vec::with_capacity(events.len());
    for start in 0..events.len() {
        // (index, whether its auth events have been visited)
        let mut stack = vec![(start, false)];
        while let Some((index, is_ready)) = stack.pop() {
            if is_ready {
                order.push(index);
            } else if done.insert(index) {
                stack.push((index, true));
                let auth = events.get(index).map(|event| event.auth_events()).unwrap_or_default();
                stack.extend(auth.iter().filter_map(|id| Some((*index_of.get(&**id)?, false))));
            }
        }
    }
    order
}

impl Session<'_, '_> {
    fn store_outlier(&mut self, pdu: &Pdu) -> Result<Outlier, CommitError> {
        self.require_room(pdu)?;
        if let Some(known) = self.writer.find_event(pdu.event_id())?
            && known.standing != Standing::Unchecked
        {
            return Ok(Outlier::Stored { is_rejected: known.standing == Standing::Rejected });
        }
        let auth = match find_auth_events(self.writer, pdu)? {
            Ok(auth) => auth,
            Err(missing) => return Ok(Outlier::Missing(missing)),
        };
        let standing = self.insert_outlier(pdu, &auth)?;
        Ok(Outlier::Stored { is_rejected: standing == Standing::Rejected })
    }

    /// Checks an outlier against its auth events and stores it, or the outcome for one that is stored unchecked.
    pub(super) fn insert_outlier(
        &mut self,
        pdu: &Pdu,
        auth: &[std::rc::Rc<crate::room::store::StoredEvent>],
    ) -> Result<Standing, DatabaseError> {
        let broken = self.check_by_auth_events(pdu, auth)?.map(|rule| rule.to_string());
        let standing = if broken.is_none() { Standing::Accepted } else { Standing::Rejected };
        let known = self.writer.find_nid(pdu.event_id())?;
        let nid = known.unwrap_or_else(|| self.next_nid());
        let generation = Self::generation(auth);
        if known.is_some() {
            self.writer.set_checked(nid, generation, &nids(auth), standing, broken.as_deref())?;
        } else {
            let redaction = self.find_redaction(pdu)?;
            let redacted = redaction.map(|_| pdu.redacted(&self.rules.redaction));
            let key = self.intern(pdu)?;
            self.writer.insert_event(&NewRow {
                nid,
                pdu: redacted.as_ref().unwrap_or(pdu),
                key,
                generation,
                auth_events: &nids(auth),
                standing,
                rejection: broken.as_deref(),
                position: None,
                states: None,
                redacted_by: redaction,
                txn: None,
            })?;
            self.release_redactions(pdu.event_id(), redaction.is_some())?;
        }
        self.cite(pdu, nid, auth)?;
        self.note_create(pdu, nid, standing);
        Ok(standing)
    }

    fn root_of(
        &mut self,
        event_ids: &[OwnedEventId],
    ) -> Result<Result<StateRoot, Vec<OwnedEventId>>, CommitError> {
        let mut wanted: BTreeMap<StateKeyNid, EventNid> = BTreeMap::new();
        let mut missing = Vec::new();
        for id in event_ids {
            let row = self.writer.find_nid(id)?.map(|nid| self.writer.event_row(nid)).transpose()?;
            match row.filter(|row| row.standing != Standing::Unchecked) {
                None => missing.push(id.clone()),
                Some(row) if row.standing == Standing::Rejected => {}
                Some(row) => {
                    wanted.extend(row.key.map(|key| (key, row.nid)));
                }
            }
        }
        if !missing.is_empty() {
            return Ok(Err(missing));
        }
        // Written as what differs from the current state, to share its nodes.
        let base = self.meta.root;
        let mut changes = Vec::new();
        for entry in State::at(self.writer, base).entries() {
            let (key, nid) = entry?;
            match wanted.remove(&key) {
                Some(same) if same == nid => {}
                other => changes.push((key, other)),
            }
        }
        changes.extend(wanted.into_iter().map(|(key, nid)| (key, Some(nid))));
        Ok(Ok(state_tree::apply(self.writer, base, changes)?))
    }
}
