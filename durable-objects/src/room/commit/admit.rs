//! Putting a decided event into the room.

use std::{collections::BTreeSet, rc::Rc};

use ruma::{EventId, OwnedEventId};
use selvedge_protocol::{
    event::Pdu,
    nid::{EventNid, StateKeyNid},
    relations,
    state_tree::{self, StateRoot},
};

use super::{GAP, Session, ToldState, checks::nids, hidden::HiddenMissing};
use crate::{
    database::DatabaseError,
    room::catalogue,
    room::state::State,
    room::store::{LogKind, MissingPrev, NewEntry, NewRow, Standing, States, StoredEvent, Txn},
    rpc::room::LogPosition,
};

/// How many events are looked at to find out whether one lies in the past.
const PATIENCE: usize = 1_000;

/// An event about which everything is decided.
pub(super) struct Admission<'a> {
    pub pdu: &'a Pdu,
    pub standing: Standing,
    /// The rule that it broke.
    pub rejection: Option<String>,
    pub auth: &'a [Rc<StoredEvent>],
    /// Those of its previous events whose state is known.
    pub prevs: &'a [EventNid],
    /// Its other previous events.
    pub missing: &'a [OwnedEventId],
    /// The state before it.
    pub before: StateRoot,
    /// What another server told of that.
    pub told: Option<ToldState>,
    /// Whether it is a join with which a stay of this server begins.
    pub begins: bool,
    pub place: Place,
    /// Whether this server must give it to other servers.
    pub broadcast: bool,
    pub txn: Option<&'a Txn>,
}

/// Where in the log an event goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// To its end; it may become a forward extremity.
    End,
    /// Into a gap; the current state is not touched.
    Gap {
        /// Which gap.
        id: u64,
        /// A position that was taken from it.
        position: LogPosition,
    },
    /// Not into the log; the current state is not touched.
    Nowhere,
}

impl Session<'_, '_> {
    /// Stores the event, or gives the outlier that is stored its place; then moves whatever depends on it.
    pub(super) fn admit(&mut self, admission: &Admission<'_>) -> Result<EventNid, DatabaseError> {
        let outlier = self.writer.find_event(admission.pdu.event_id())?;
        let nid = match &outlier {
            Some(outlier) => outlier.nid,
            None => self.next_nid(),
        };
        let redaction = match &outlier {
            Some(outlier) if outlier.redacted_by.is_some() => None,
            _ => self.find_redaction(admission.pdu)?,
        };
        let pdu = match (&redaction, &outlier) {
            (Some(_), _) => Rc::new(admission.pdu.redacted(&self.rules.redaction)),
            (None, Some(outlier)) => Rc::clone(&outlier.pdu),
            (None, None) => Rc::new(admission.pdu.clone()),
        };
        let key = self.intern(&pdu)?;
        let states = self.states_around(admission.before, admission.standing, key, nid)?;
        let waiting = self.writer.missing_prev(pdu.event_id())?;
        let is_shown = admission.standing == Standing::Accepted && self.is_shown(admission, nid)?;
        let hidden = if is_shown { self.missing_behind(admission.prevs)? } else { Vec::new() };
        let position = if is_shown { self.take_position(admission, &hidden) } else { None };

        let row = NewRow {
            nid,
            pdu: &pdu,
            key,
            generation: Self::generation(admission.auth),
            auth_events: &nids(admission.auth),
            standing: admission.standing,
            rejection: admission.rejection.as_deref(),
            position,
            states: Some(states),
            redacted_by: redaction,
            txn: admission.txn,
        };
        if outlier.is_some() {
            self.writer.place_event(&row)?;
        } else {
            self.writer.insert_event(&row)?;
        }
        self.cite(&pdu, nid, admission.auth)?;
        self.note_create(&pdu, nid, admission.standing);
        self.note_missing(admission, nid, position, (&waiting, &hidden))?;
        let is_accepted = admission.standing == Standing::Accepted;
        let is_head = (is_accepted || self.meta.is_partial)
            && admission.place == Place::End
            && !self.is_built_upon(&waiting)?
            && (outlier.is_none() || !self.is_past(nid, states)?);
        if is_accepted && admission.place != Place::Nowhere {
            self.extend(admission.prevs, is_head.then_some(nid))?;
        }
        if self.meta.is_partial {
            self.list_partial(admission, nid, is_head)?;
        }
        if let Some(position) = position {
            self.enter_log(admission, nid, &pdu, position, states)?;
        } else if admission.broadcast && admission.standing == Standing::Accepted {
            self.withhold(&pdu)?;
        }
        self.apply_redaction(admission, nid)?;
        self.release_redactions(pdu.event_id(), redaction.is_some())?;
        Ok(nid)
    }

    /// The number of the event's type and state key, for a state event.
    pub(super) fn intern(&mut self, pdu: &Pdu) -> Result<Option<StateKeyNid>, DatabaseError> {
        pdu.state_key().map(|state_key| self.writer.intern(pdu.event_type(), state_key)).transpose()
    }

    /// Records whom a state event cites.
    pub(super) fn cite(
        &mut self,
        pdu: &Pdu,
        nid: EventNid,
        auth: &[Rc<StoredEvent>],
    ) -> Result<(), DatabaseError> {
        if pdu.state_key().is_none() {
            return Ok(());
        }
        for cited in auth.iter().filter(|cited| cited.pdu.event_type() != "m.room.create") {
            self.writer.insert_citer(cited.nid, nid)?;
        }
        Ok(())
    }

    /// Remembers the room's create event.
    pub(super) fn note_create(&mut self, pdu: &Pdu, nid: EventNid, standing: Standing) {
        if self.meta.create.is_none() && standing == Standing::Accepted && pdu.is_state("m.room.create", "") {
            self.meta.create = Some(nid);
        }
    }

    pub(super) fn states_around(
        &mut self,
        before: StateRoot,
        standing: Standing,
        key: Option<StateKeyNid>,
        nid: EventNid,
    ) -> Result<States, DatabaseError> {
        let after = match key {
            // A soft-failed event counts where it stands in the DAG; a rejected one never does.
            Some(key) if standing != Standing::Rejected => {
                state_tree::apply(self.writer, before, [(key, Some(nid))])?
            }
            _ => before,
        };
        Ok(States { before, after })
    }

    fn take_position(&mut self, admission: &Admission<'_>, hidden: &[HiddenMissing]) -> Option<LogPosition> {
        let is_whole = admission.missing.is_empty() && hidden.is_empty();
        match admission.place {
            Place::End => Some(self.next_position(if is_whole { 1 } else { GAP })),
            Place::Gap { position, .. } => Some(position),
            Place::Nowhere => None,
        }
    }

    /// The event is here: its children miss it no longer. It may miss others in turn, and lead to what
    /// was missing behind events that are not in the log.
    fn note_missing(
        &mut self,
        admission: &Admission<'_>,
        nid: EventNid,
        position: Option<LogPosition>,
        (waiting, hidden): (&[MissingPrev], &[HiddenMissing]),
    ) -> Result<(), DatabaseError> {
        if !waiting.is_empty() {
            self.writer.delete_missing(admission.pdu.event_id())?;
        }
        if admission.missing.is_empty() && hidden.is_empty() {
            return Ok(());
        }
        let gap = match (admission.place, position) {
            (Place::Gap { id, .. }, _) => Some(id),
            (Place::End, Some(position)) => Some(self.open_gap(position)?),
            (Place::End, None) | (Place::Nowhere, _) => None,
        };
        for id in admission.missing {
            self.writer.insert_missing(id, nid, gap)?;
        }
        self.lead_to(hidden, gap)
    }

    /// Whether an accepted event follows this one, which was missing from it.
    fn is_built_upon(&self, waiting: &[MissingPrev]) -> Result<bool, DatabaseError> {
        for child in waiting {
            if self.writer.event_row(child.child)?.standing == Standing::Accepted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves the forward extremities, and the current state with them: `prevs` are followed by
    /// something now, be it the new extremity `head` or an event of the past that joins what was two
    /// ends of the history.
    fn extend(&mut self, prevs: &[EventNid], head: Option<EventNid>) -> Result<(), DatabaseError> {
        match self.advance(prevs, head)? {
            Some(root) => self.move_root(root),
            None => Ok(()),
        }
    }

    /// Moves the forward extremities; the state to which they resolve then, if they moved.
    pub(super) fn advance(
        &mut self,
        prevs: &[EventNid],
        head: Option<EventNid>,
    ) -> Result<Option<StateRoot>, DatabaseError> {
        let replaced = self.replaced_by(prevs)?;
        let before = self.meta.extremities.clone();
        self.meta.extremities.retain(|extremity| !replaced.contains(extremity));
        self.meta.extremities.extend(head);
        if self.meta.extremities.is_empty() {
            self.meta.extremities = before;
            return Ok(None);
        }
        if self.meta.extremities == before {
            return Ok(None);
        }
        let mut roots = Vec::with_capacity(self.meta.extremities.len());
        for extremity in &self.meta.extremities {
            let states = self.writer.event_row(*extremity)?.states;
            roots.push(states.ok_or_else(|| DatabaseError::corrupt("extremity without state"))?.after);
        }
        self.resolve(&roots).map(Some)
    }

    /// Whether an event that was an outlier lies in the past of what the room has: it is in the current
    /// state, or in the auth chain of something that is. Were it made a forward extremity, the state of
    /// long ago would be resolved against that of now.
    fn is_past(&self, nid: EventNid, states: States) -> Result<bool, DatabaseError> {
        if states.before == states.after {
            return Ok(false);
        }
        let current = State::at(self.writer, self.meta.root);
        let mut seen = BTreeSet::new();
        let mut stack = vec![nid];
        while let Some(nid) = stack.pop() {
            if !seen.insert(nid) || seen.len() > PATIENCE {
                continue;
            }
            let key = self.writer.event_row(nid)?.key;
            if key.map(|key| current.nid(key)).transpose()?.flatten() == Some(nid) {
                return Ok(true);
            }
            stack.extend(self.writer.citers(nid, None, PATIENCE)?);
        }
        Ok(false)
    }

    /// The events that stop being forward extremities when something follows `prevs`: these, and,
    /// through rejected and soft-failed events, those before.
    fn replaced_by(&self, prevs: &[EventNid]) -> Result<BTreeSet<EventNid>, DatabaseError> {
        let mut replaced = BTreeSet::new();
        let mut stack = prevs.to_vec();
        while let Some(nid) = stack.pop() {
            if !replaced.insert(nid) || self.meta.extremities.contains(&nid) {
                continue;
            }
            if self.writer.event_row(nid)?.standing != Standing::Accepted {
                for id in self.writer.event(nid)?.pdu.prev_events() {
                    stack.extend(self.writer.find_nid(id)?);
                }
            }
        }
        Ok(replaced)
    }

    fn enter_log(
        &mut self,
        admission: &Admission<'_>,
        nid: EventNid,
        pdu: &Pdu,
        position: LogPosition,
        states: States,
    ) -> Result<(), DatabaseError> {
        let (root, broadcast) = match admission.place {
            Place::End => (self.meta.root, admission.broadcast),
            Place::Gap { .. } | Place::Nowhere => (states.after, false),
        };
        self.write_entry(nid, pdu, position, root, broadcast)?;
        if admission.place != Place::End {
            catalogue::enter_late(self.writer, pdu, position)?;
        }
        Ok(())
    }

    /// Writes the entry of an event, and to what it relates.
    pub(super) fn write_entry(
        &mut self,
        nid: EventNid,
        pdu: &Pdu,
        position: LogPosition,
        root: StateRoot,
        broadcast: bool,
    ) -> Result<(), DatabaseError> {
        self.effects.broadcast |= broadcast;
        let entry =
            NewEntry { position, kind: LogKind::Event, nid: Some(nid), root, broadcast, subject: None };
        self.writer.insert_log(&entry)?;
        if let Some(relation) = relations::relation(pdu) {
            let is_local = pdu.sender().server_name() == self.local;
            self.writer.insert_relation(&relation, position, nid, pdu, is_local)?;
        }
        Ok(())
    }

    /// Whether an event with this id is in the room with its place.
    pub(super) fn is_placed(&self, id: &EventId) -> Result<bool, DatabaseError> {
        Ok(self.writer.find_event(id)?.is_some_and(|event| !event.is_outlier()))
    }
}
