//! The effects of redactions `[C-S §11.7; room versions, handling redactions]`.
//!
//! A redaction takes effect on its target when both are here and the redaction's sender may: since
//! room version 3 that is no rule of authorisation, but decided here. The target is then stored and
//! served in its redacted form. Until then the redaction is in the DAG, but not in the log.

use std::rc::Rc;

use ruma::{EventId, OwnedEventId};
use selvedge_protocol::{auth::Level, event::Pdu, nid::EventNid, relations, state_tree::StateRoot};

use super::{GAP, Session, admit::Admission};
use crate::{
    database::DatabaseError,
    room::{
        state::State,
        store::{LogKind, NewEntry, Standing, StoredEvent},
    },
};

impl Session<'_, '_> {
    /// The event that a redaction is about; `None` for other events.
    pub(super) fn redaction_target(&self, pdu: &Pdu) -> Option<OwnedEventId> {
        if pdu.event_type() != "m.room.redaction" || pdu.state_key().is_some() {
            return None;
        }
        pdu.redacts(&self.rules.redaction)
    }

    /// Whether the sender of `redaction`, in the state before it, may redact `target`.
    pub(super) fn may_redact(
        &self,
        redaction: &Pdu,
        before: StateRoot,
        target: &Pdu,
    ) -> Result<bool, DatabaseError> {
        // Room versions 1 and 2: authorisation has decided.
        if self.rules.authorization.special_case_room_redaction
            || redaction.sender().server_name() == target.sender().server_name()
        {
            return Ok(true);
        }
        let Ok(levels) = State::at(self.writer, before).power_levels()? else { return Ok(false) };
        let power = levels.user(redaction.sender());
        Ok(matches!((power, levels.level(Level::Redact)), (Ok(power), Ok(needed)) if power >= needed))
    }

    /// The redaction that was here before its target, which is now stored, if its sender may redact it.
    pub(super) fn find_redaction(&self, target: &Pdu) -> Result<Option<EventNid>, DatabaseError> {
        for nid in self.writer.pending_redactions(target.event_id())? {
            let redaction = self.writer.event(nid)?;
            let Some(states) = redaction.states else { continue };
            if self.may_redact(&redaction.pdu, states.before, target)? {
                return Ok(Some(nid));
            }
        }
        Ok(None)
    }

    /// Whether an accepted event is shown to clients: a redaction only when it takes effect. One
    /// whose target is not here begins to wait for it.
    pub(super) fn is_shown(
        &mut self,
        admission: &Admission<'_>,
        nid: EventNid,
    ) -> Result<bool, DatabaseError> {
        if self.is_premature(admission.pdu, admission.before)? {
            return Ok(false);
        }
        self.is_effective(admission.pdu, admission.before, nid)
    }

    fn is_effective(&mut self, pdu: &Pdu, before: StateRoot, nid: EventNid) -> Result<bool, DatabaseError> {
        let Some(target_id) = self.redaction_target(pdu) else { return Ok(true) };
        if let Some(target) = self.writer.find_event(&target_id)? {
            return self.may_redact(pdu, before, &target.pdu);
        }
        self.writer.insert_pending_redaction(&target_id, nid)?;
        Ok(false)
    }

    /// Whether it is not known if the sender of a redaction is joined. What it removed could not be brought back, so it
    /// waits until the state is whole.
    fn is_premature(&self, pdu: &Pdu, before: StateRoot) -> Result<bool, DatabaseError> {
        if !self.meta.is_partial || self.redaction_target(pdu).is_none() {
            return Ok(false);
        }
        let sender = State::at(self.writer, before).event("m.room.member", pdu.sender().as_str())?;
        Ok(sender.is_none())
    }

    /// Lets an accepted event take effect for which that was not yet so: whether it is to be shown.
    pub(super) fn takes_effect(
        &mut self,
        nid: EventNid,
        pdu: &Pdu,
        before: StateRoot,
    ) -> Result<bool, DatabaseError> {
        let is_shown = self.is_effective(pdu, before, nid)?;
        if is_shown {
            self.redact_target(pdu, before, nid)?;
        }
        Ok(is_shown)
    }

    /// Gives an event to other servers only: they may have its target.
    pub(super) fn withhold(&mut self, pdu: &Pdu) -> Result<(), DatabaseError> {
        let position = self.next_position(1);
        self.effects.broadcast = true;
        self.writer.insert_log(&NewEntry {
            position,
            kind: LogKind::Withheld,
            nid: None,
            root: self.meta.root,
            broadcast: true,
            subject: Some(pdu.event_id().as_str()),
        })
    }

    /// Redacts the target of an accepted redaction, if both are here and the sender may.
    pub(super) fn apply_redaction(
        &mut self,
        admission: &Admission<'_>,
        nid: EventNid,
    ) -> Result<(), DatabaseError> {
        if admission.standing != Standing::Accepted || self.is_premature(admission.pdu, admission.before)? {
            return Ok(());
        }
        self.redact_target(admission.pdu, admission.before, nid)
    }

    fn redact_target(&mut self, pdu: &Pdu, before: StateRoot, nid: EventNid) -> Result<(), DatabaseError> {
        let Some(target_id) = self.redaction_target(pdu) else { return Ok(()) };
        let Some(target) = self.writer.find_event(&target_id)? else { return Ok(()) };
        if target.redacted_by.is_none() && self.may_redact(pdu, before, &target.pdu)? {
            self.redact(&target, nid)?;
        }
        Ok(())
    }

    fn redact(&mut self, target: &Rc<StoredEvent>, redaction: EventNid) -> Result<(), DatabaseError> {
        if let (Some(position), Some(relation)) = (target.position, relations::relation(&target.pdu)) {
            self.writer.delete_relation(&relation, position, target.pdu.sender())?;
        }
        if let Some(position) = target.position
            && position <= self.writer.catalogued()?
        {
            self.writer.remove_words(position)?;
        }
        let redacted = target.pdu.redacted(&self.rules.redaction);
        self.writer.set_redacted(target.nid, redaction, &redacted)
    }

    /// Lets the redactions that waited for an event into the log, where `is_redacted` by one of them.
    pub(super) fn release_redactions(
        &mut self,
        target: &EventId,
        is_redacted: bool,
    ) -> Result<(), DatabaseError> {
        let waiting = self.writer.pending_redactions(target)?;
        if waiting.is_empty() {
            return Ok(());
        }
        self.writer.delete_pending_redactions(target)?;
        if !is_redacted {
            return Ok(());
        }
        let pdu = self.writer.find_event(target)?;
        for nid in waiting {
            let redaction = self.writer.event(nid)?;
            let (Some(states), Some(target)) = (redaction.states, &pdu) else { continue };
            if redaction.position.is_none() && self.may_redact(&redaction.pdu, states.before, &target.pdu)? {
                let behind = self.missing_behind(&[nid])?;
                let position = self.next_position(if behind.is_empty() { 1 } else { GAP });
                if !behind.is_empty() {
                    let gap = self.open_gap(position)?;
                    self.lead_to(&behind, Some(gap))?;
                }
                self.writer.set_position(nid, Some(position))?;
                let root = self.meta.root;
                self.writer.insert_log(&NewEntry {
                    position,
                    kind: LogKind::Event,
                    nid: Some(nid),
                    root,
                    broadcast: false,
                    subject: None,
                })?;
            }
        }
        Ok(())
    }
}
