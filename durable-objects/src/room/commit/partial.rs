//! Rooms that were joined before all of their state was here `[S-S §10, members_omitted]`.
//!
//! The server that let us in may leave members out of its answer. Until they are fetched, events are taken in by what
//! is known: as to a member of whom the state says nothing, an event is believed that names a member event among its
//! auth events, which are checked as ever. All that is taken in so is listed. When the state is here, the list is gone
//! through once more from its first join, as if each event had just come: states, standings, the forward extremities
//! and the current state are all made anew, in one transaction, and what was shown by mistake is shown no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ruma::{OwnedServerName, ServerName, events::room::member::MembershipState};
use selvedge_protocol::{nid::EventNid, relations, state_tree::StateRoot};

use super::{CommitError, Effects, Session, ToldState, admit::Admission, admit::Place, residents::Filling};
use crate::{
    database::DatabaseError,
    room::{
        RoomEngine,
        state::State,
        store::{Basis, Decision, PartialEvent, PlaceTaken, Standing, StoredEvent},
    },
    rpc::room::LogPosition,
};

/// How many entries of the log are read at a time.
const BATCH: u32 = 1_000;

impl RoomEngine {
    /// The state before a join that was awaited is this, unless it forbids the join: then nothing is changed. The
    /// rule that the join breaks.
    pub fn settle_join(
        &self,
        local: &ServerName,
        join: EventNid,
        root: StateRoot,
    ) -> Result<Option<String>, CommitError> {
        self.store.write(|writer| {
            let session = Session::open(writer, local)?;
            let event = session.writer.event(join)?;
            let broken = session.check_by_state(&event.pdu, root, None)?;
            if broken.is_none() {
                session.writer.set_told(join, root)?;
            }
            Ok(broken.map(|rule| rule.to_string()))
        })
    }

    /// Once the states before all joins are here: decides anew about everything that was taken in since. The room's
    /// state is whole then.
    ///
    /// The effects are to be given to [`RoomEngine::wake`].
    pub fn make_whole(&self, local: &ServerName) -> Result<Effects, CommitError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            if !session.meta.is_partial || session.writer.awaited_join()?.is_some() {
                return Ok(Effects::default());
            }
            session.make_whole()?;
            session.finish()
        })
    }
}

/// What the second look at the list found.
#[derive(Default)]
struct Outcome {
    /// The current state after each event that belongs at the log's end.
    roots: BTreeMap<EventNid, StateRoot>,
    /// Events that are shown from now on.
    late: Vec<EventNid>,
}

impl Session<'_, '_> {
    /// Whether the state before an event lacks members.
    pub(super) fn is_partial_after(
        &self,
        prevs: &[EventNid],
        told: Option<ToldState>,
    ) -> Result<bool, DatabaseError> {
        if !self.meta.is_partial || matches!(told, Some(ToldState::Before(_))) {
            return Ok(false);
        }
        for prev in prevs {
            if self.writer.partial_event(*prev)?.is_some_and(|event| event.is_partial) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lists an event that is taken in, to be decided about again.
    pub(super) fn list_partial(
        &mut self,
        admission: &Admission<'_>,
        nid: EventNid,
        is_head: bool,
    ) -> Result<(), DatabaseError> {
        let basis = match admission.told {
            Some(ToldState::Before(root)) => Basis::Told(root),
            Some(ToldState::AfterMissing(root)) => Basis::ToldAfterMissing(root),
            None if admission.begins => Basis::Awaited,
            None => Basis::PrevEvents,
        };
        let is_partial = match basis {
            Basis::Told(_) => false,
            _ => admission.begins || self.is_partial_after(admission.prevs, admission.told)?,
        };
        let place = match admission.place {
            Place::End => PlaceTaken::End { is_head },
            Place::Gap { .. } => PlaceTaken::Gap,
            Place::Nowhere => PlaceTaken::Nowhere,
        };
        let begins = admission.begins;
        self.writer.insert_partial_event(&PartialEvent { nid, begins, basis, place, is_partial })
    }

    /// Notes servers that are said to take part: each counts as one joined user more until it is known.
    pub(super) fn presume_servers(&mut self, servers: &[OwnedServerName]) -> Result<(), DatabaseError> {
        if servers.is_empty() {
            return Ok(());
        }
        self.writer.clear_fetch_progress()?;
        for name in servers {
            if *name != self.local && !self.writer.is_partial_server(name)? {
                self.writer.insert_partial_server(name)?;
                self.count_servers(BTreeMap::from([(name.clone(), 1)]))?;
            }
        }
        Ok(())
    }

    fn make_whole(&mut self) -> Result<(), CommitError> {
        let listed = self.writer.partial_events()?;
        let counted = self.meta.root;
        let mut positions = Vec::with_capacity(listed.len());
        for event in listed.iter().filter(|event| matches!(event.place, PlaceTaken::End { .. })) {
            positions.extend(self.writer.event_position(event.nid)?);
        }
        self.meta.extremities.clear();
        let outcome = self.decide_again(&listed)?;
        if self.meta.extremities.is_empty() {
            return Err(DatabaseError::corrupt("no join of a partial state is allowed").into());
        }
        let root = self.meta.root;
        self.meta.root = counted;
        if let Some(first) = positions.into_iter().min() {
            self.correct_log(first, &outcome.roots)?;
        }
        self.meta.whole_since = self.next_position(1);
        self.meta.is_partial = false;
        self.recount(root, &listed)?;
        for nid in outcome.late {
            let event = self.writer.event(nid)?;
            let position = self.next_position(1);
            self.writer.set_position(nid, Some(position))?;
            self.write_entry(nid, &event.pdu, position, root, false)?;
        }
        Ok(self.writer.clear_partial()?)
    }

    fn decide_again(&mut self, listed: &[PartialEvent]) -> Result<Outcome, CommitError> {
        let mut undecided: BTreeSet<EventNid> = listed.iter().map(|event| event.nid).collect();
        let mut outcome = Outcome::default();
        self.meta.root = StateRoot::EMPTY;
        for known in listed {
            let event = self.writer.event(known.nid)?;
            let (prevs, before) = self.state_before_again(known, &event, &undecided)?;
            undecided.remove(&known.nid);
            let (standing, rejection) = self.judge_again(known, &event, before)?;
            let states = self.states_around(before, standing, event.key, known.nid)?;
            let rejection = rejection.as_deref();
            self.writer.decide(known.nid, &Decision { standing, rejection, states })?;
            let is_accepted = standing == Standing::Accepted;
            if is_accepted && known.begins {
                self.meta.extremities.clear();
            }
            if is_accepted && known.place != PlaceTaken::Nowhere {
                let is_head = matches!(known.place, PlaceTaken::End { is_head: true });
                let root = self.advance(&prevs, is_head.then_some(known.nid))?;
                self.meta.root = root.unwrap_or(self.meta.root);
            }
            if let PlaceTaken::End { .. } = known.place {
                outcome.roots.insert(known.nid, self.meta.root);
            }
            match event.position {
                Some(position) if !is_accepted => self.take_from_log(&event, position)?,
                None if is_accepted
                    && known.place != PlaceTaken::Nowhere
                    && self.takes_effect(known.nid, &event.pdu, before)? =>
                {
                    outcome.late.push(known.nid);
                }
                _ => {}
            }
        }
        Ok(outcome)
    }

    /// The previous events of a listed event that are decided about, and the state before it.
    fn state_before_again(
        &mut self,
        listed: &PartialEvent,
        event: &StoredEvent,
        undecided: &BTreeSet<EventNid>,
    ) -> Result<(Vec<EventNid>, StateRoot), DatabaseError> {
        let (mut prevs, mut roots, mut is_whole) = (Vec::new(), Vec::new(), true);
        for id in event.pdu.prev_events() {
            let row = self.writer.find_nid(id)?.map(|nid| self.writer.event_row(nid)).transpose()?;
            match row.and_then(|row| Some((row.nid, row.states?))) {
                Some((nid, states)) if !undecided.contains(&nid) => {
                    prevs.push(nid);
                    roots.push(states.after);
                }
                _ => is_whole = false,
            }
        }
        let before = match listed.basis {
            Basis::Told(root) if listed.begins || !is_whole => root,
            Basis::ToldAfterMissing(root) if !is_whole => {
                roots.push(root);
                self.resolve(&roots)?
            }
            _ => self.resolve(&roots)?,
        };
        Ok((prevs, before))
    }

    /// What comes of a listed event now, and the rule that it breaks.
    fn judge_again(
        &self,
        listed: &PartialEvent,
        event: &Rc<StoredEvent>,
        before: StateRoot,
    ) -> Result<(Standing, Option<String>), DatabaseError> {
        let auth = event.auth_events.iter().map(|nid| self.writer.event(*nid));
        let auth = auth.collect::<Result<Vec<_>, _>>()?;
        let mut broken = self.check_by_auth_events(&event.pdu, &auth)?;
        if broken.is_none() {
            broken = self.check_by_state(&event.pdu, before, None)?;
        }
        if let Some(rule) = broken {
            return Ok((Standing::Rejected, Some(rule.to_string())));
        }
        let is_current = matches!(listed.place, PlaceTaken::End { .. }) && !listed.begins;
        if is_current
            && before != self.meta.root
            && let Some(rule) = self.check_by_state(&event.pdu, self.meta.root, None)?
        {
            return Ok((Standing::SoftFailed, Some(rule.to_string())));
        }
        if is_current && let Some(policy) = self.lacks_recommendation(&event.pdu)? {
            let refusal = event.rejection.clone().filter(|_| event.standing == Standing::SoftFailed);
            let refusal = refusal.unwrap_or_else(|| format!("{} has not recommended it", policy.name));
            return Ok((Standing::SoftFailed, Some(refusal)));
        }
        Ok((Standing::Accepted, None))
    }

    /// Takes an event out of the log that should not have come into it.
    fn take_from_log(&mut self, event: &StoredEvent, position: LogPosition) -> Result<(), DatabaseError> {
        if let Some(relation) = relations::relation(&event.pdu) {
            self.writer.delete_relation(&relation, position, event.pdu.sender())?;
        }
        if position <= self.writer.catalogued()? {
            self.writer.remove_words(position)?;
            self.writer.remove_dated_event(event.pdu.origin_server_ts().get().into(), position)?;
        }
        if let Some(entry) = self.writer.log_entry(position)? {
            self.writer.keep_shown_root(position, entry.root)?;
        }
        self.writer.delete_log(position)?;
        self.writer.set_position(event.nid, None)
    }

    /// Says of each entry of the log from `first` on what the state was after it; what clients were shown is kept.
    fn correct_log(
        &mut self,
        first: LogPosition,
        roots: &BTreeMap<EventNid, StateRoot>,
    ) -> Result<(), DatabaseError> {
        let mut after = LogPosition(first.0.saturating_sub(1));
        let mut current = StateRoot::EMPTY;
        loop {
            let entries = self.writer.log_forward(after, self.meta.last_position, BATCH)?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.position;
            for entry in entries {
                let root = match entry.nid {
                    Some(nid) if !roots.contains_key(&nid) => {
                        let states = self.writer.event_row(nid)?.states;
                        states.map_or(entry.root, |states| states.after)
                    }
                    nid => {
                        current = nid.and_then(|nid| roots.get(&nid).copied()).unwrap_or(current);
                        current
                    }
                };
                if root != entry.root {
                    self.writer.keep_shown_root(entry.position, entry.root)?;
                    self.writer.set_log_root(entry.position, root)?;
                }
            }
        }
    }

    /// Makes `root` the current state, and counts who is in the room. Who was there all the time is no news to
    /// those who follow devices, but for who is known to have changed theirs.
    fn recount(&mut self, root: StateRoot, listed: &[PartialEvent]) -> Result<(), DatabaseError> {
        let before = std::mem::replace(&mut self.meta.root, root);
        let presumed = self.writer.partial_servers()?;
        let mut servers: BTreeMap<_, _> = presumed.into_iter().map(|name| (name, -1)).collect();
        self.filling = Filling::AllButBy(listed.iter().map(|event| event.nid).collect());
        self.count_between(before, root, &mut servers)?;
        self.count_servers(servers)?;
        for user_id in self.writer.partial_device_changes()? {
            if State::at(self.writer, root).membership(&user_id)? != MembershipState::Join {
                continue;
            }
            if user_id.server_name() == self.local {
                // There may be servers that were not known to take part.
                self.effects.residents.locals_changed.push(user_id);
            } else {
                self.writer.set_device_list_change(&user_id, self.meta.last_position)?;
            }
        }
        Ok(())
    }
}
