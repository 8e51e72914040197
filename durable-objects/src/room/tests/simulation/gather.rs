//! The gather phase: what a server asks of another before it can take an event in.

use std::collections::BTreeSet;

use ruma::OwnedEventId;
use selvedge_protocol::event::Pdu;

use super::Simulation;
use crate::{
    room::{
        commit::{CommitError, Received},
        graph,
    },
    rpc::room::LogPosition,
};

/// How many events `get_missing_events` gives.
const MISSING: usize = 8;

impl Simulation {
    /// Takes in an event that `from` sent to `to`.
    pub(super) fn take_in(&mut self, from: usize, to: usize, pdu: &Pdu) -> Result<Received, CommitError> {
        if self.peers[to].find_meta()?.is_none_or(|meta| meta.extremities.is_empty()) {
            // Servers that are not in the room are not interested.
            return Ok(Received::Unconnected);
        }
        let mut received = self.peers[to].receive_as(pdu, false, None)?;
        let Received::Missing { prevs, .. } = &received else { return Ok(received) };
        if !prevs.is_empty() {
            for missing in self.missing_events(from, to, pdu)? {
                self.take_in_with_state(from, to, &missing)?;
            }
            received = self.peers[to].receive_as(pdu, false, None)?;
        }
        if matches!(received, Received::Missing { .. }) {
            received = self.take_in_with_state(from, to, pdu)?;
        }
        Ok(received)
    }

    fn missing_events(&self, from: usize, to: usize, pdu: &Pdu) -> Result<Vec<Pdu>, CommitError> {
        let earliest = self.peers[to].try_extremities()?;
        let horizon = self.peers[to].find_meta()?.map_or(0, |meta| meta.horizon);
        let latest = [pdu.event_id().to_owned()];
        let store = &self.peers[from].room.store;
        let events = graph::missing_events(store, &earliest, &latest, horizon, MISSING).unwrap();
        Ok(events.iter().map(|event| (*event.pdu).clone()).collect())
    }

    /// Takes in an event; where its auth events or previous events are missing, these, or the state
    /// before it, come from `from`.
    fn take_in_with_state(&mut self, from: usize, to: usize, pdu: &Pdu) -> Result<Received, CommitError> {
        let received = self.peers[to].receive_as(pdu, false, None)?;
        let Received::Missing { prevs, auth } = &received else { return Ok(received) };
        if !auth.is_empty() {
            let chain = self.auth_chain(from, pdu);
            self.peers[to].try_outliers(&chain)?;
        }
        if prevs.is_empty() {
            return self.peers[to].receive_as(pdu, false, None);
        }
        if self.peers[from].is_partial() {
            // Servers that do not have all of a state tell none.
            return Ok(Received::Unconnected);
        }
        let (state, chain) = self.peers[from].state_before(&pdu.event_id().to_owned());
        self.peers[to].try_outliers(&[chain, state.clone()].concat())?;
        let ids: Vec<OwnedEventId> = state.iter().map(|event| event.event_id().to_owned()).collect();
        let peer = &self.peers[to];
        let root = peer.room.root_of(&peer.server, &ids)?.expect("the state was just stored");
        peer.receive_as(pdu, false, Some(root))
    }

    /// A server that joined without members fetches them, if anyone can be asked.
    pub(super) fn complete(&mut self, to: usize) {
        if !self.peers[to].is_partial() {
            return;
        }
        let join = self.peers[to].room.store.awaited_join().unwrap();
        let join = join.map(|join| self.peers[to].room.store.event_id(join).unwrap());
        let alive = self.alive();
        let can_tell = |index: &&usize| {
            let peer = &self.peers[**index];
            let has_join = || {
                let join = join.as_ref().map(|join| peer.room.store.find_event(join).unwrap());
                join.is_none_or(|event| event.is_some_and(|event| !event.is_outlier()))
            };
            **index != to && !peer.is_partial() && self.network.connects(**index, to) && has_join()
        };
        let Some(from) = alive.iter().find(can_tell).copied() else { return };
        if self.chance.percent(30) {
            let statements = u32::try_from(self.chance.below(1_500)).unwrap();
            self.peers[to].crash.plan(statements);
        }
        let completed = self.peers[to].try_complete_from(&self.peers[from]);
        let crashed = self.peers[to].crash.avert();
        self.say(|| format!("s{to} gets all of the state of s{from}: {completed:?}"));
        if let Err(error) = completed {
            assert!(crashed, "s{to} cannot complete the state: {error}");
            self.crash(to);
        }
    }

    /// Fetches the history that a server lacks, as if a client paged through all of it.
    pub(super) fn backfill(&mut self, to: usize) {
        for _ in 0..100 {
            let store = &self.peers[to].room.store;
            let mut wanted = store.backward_extremities(LogPosition(1 << 52), 10).unwrap();
            let has = |index: usize, id: &OwnedEventId| {
                index != to && graph::find_served(&self.peers[index].room.store, id).unwrap().is_some()
            };
            // What every server rejects that has it, none gives.
            wanted.retain(|id| (0..self.peers.len()).any(|index| has(index, id)));
            let Some(first) = wanted.first() else { return };
            let from = (0..self.peers.len()).find(|index| has(*index, first)).expect("somebody has it");
            let store = &self.peers[from].room.store;
            let mut events: Vec<Pdu> = graph::backfill(store, &wanted, 20)
                .unwrap()
                .iter()
                .map(|event| (*event.pdu).clone())
                .collect();
            events.reverse();
            let received = self.take_in_history(from, to, &events);
            self.say(|| format!("s{to} gets {} events of the past of s{from}: {received:?}", events.len()));
        }
        panic!("s{to} never has all of the past");
    }

    /// Hands in history, after the auth events and the states that it needs.
    fn take_in_history(&mut self, from: usize, to: usize, events: &[Pdu]) -> Vec<Received> {
        let ids: BTreeSet<_> = events.iter().map(Pdu::event_id).collect();
        let mut history = Vec::new();
        for pdu in events {
            let chain = self.auth_chain(from, pdu);
            let peer = &self.peers[to];
            peer.receive_outliers(&chain);
            let is_here = |id: &OwnedEventId| {
                let event = peer.room.store.find_event(id).unwrap();
                ids.contains(&**id) || event.is_some_and(|event| !event.is_outlier())
            };
            let root = (!pdu.prev_events().iter().all(is_here)).then(|| {
                let (state, chain) = self.peers[from].state_before(&pdu.event_id().to_owned());
                peer.receive_outliers(&[chain, state.clone()].concat());
                let ids: Vec<_> = state.iter().map(|event| event.event_id().to_owned()).collect();
                peer.room.root_of(&peer.server, &ids).unwrap().unwrap()
            });
            history.push((pdu.clone(), root));
        }
        self.peers[to].receive_history(&history)
    }

    fn auth_chain(&self, from: usize, pdu: &Pdu) -> Vec<Pdu> {
        let store = &self.peers[from].room.store;
        let nid = store.find_nid(pdu.event_id()).unwrap().expect("the sender has what it sends");
        let chain = graph::auth_chain(store, [Ok(nid)]).unwrap();
        chain.into_iter().map(|nid| (*store.event(nid).unwrap().pdu).clone()).collect()
    }
}
