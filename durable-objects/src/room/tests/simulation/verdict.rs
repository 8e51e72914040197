//! What must hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedEventId, UserId};
use selvedge_protocol::{
    auth::{AuthError, check_state_dependent},
    event::Pdu,
};

use super::Simulation;
use crate::{
    room::{
        state::State,
        store::{LogKind, Standing},
        tests::peer::Peer,
    },
    rpc::room::LogPosition,
};

impl Simulation {
    pub(super) fn judge(&mut self) {
        for index in 0..self.peers.len() {
            self.keeps_its_books(&self.peers[index]);
        }
        self.agree();
    }

    /// The servers that are in the room have the same events, and find the same state where these end.
    /// One that is not, or is about to join, is owed nothing.
    ///
    /// That state is the current one, but for soft failure: what a server let fail softly, and nobody
    /// has built upon since, is not among its forward extremities. Where no server in the room took it
    /// otherwise, none will ever build upon it, and so not all of them need to hear of it.
    fn agree(&mut self) {
        let alive = self.alive();
        let is_joined = |index: &usize| self.peers[*index].room.store.is_any_local_joined().unwrap();
        let Some(reference) = alive.iter().copied().find(is_joined) else { return };
        // Who is in the room follows from the state, that from what is accepted there, and that from who is in the room.
        let mut resident = vec![reference];
        let mut seen = BTreeSet::new();
        while seen.insert(resident.clone()) {
            let accepted = self.accepted_by(&resident);
            let servers =
                self.peers[reference].joined_servers(&self.peers[reference].state_at_ends(&accepted));
            let is_resident = |index: &usize| servers.contains(&self.peers[*index].server);
            resident = alive.iter().copied().filter(is_resident).collect();
        }
        let accepted = self.accepted_by(&resident);
        let ends = self.peers[reference].ends_of(&accepted);
        let state = self.peers[reference].state_at_ends(&accepted);
        self.say(|| format!("in the room: {resident:?}"));
        for index in &resident {
            let peer = &self.peers[*index];
            assert_eq!(
                peer.ends_of(&accepted),
                ends,
                "s{reference} and s{index} do not have the same events"
            );
            let other = peer.state_at_ends(&accepted);
            if other != state {
                self.tell_first_difference(reference, *index);
                let keys: BTreeSet<_> = state.keys().chain(other.keys()).collect();
                let differs = keys.into_iter().filter(|key| state.get(key) != other.get(key));
                let differs: Vec<_> = differs.map(|key| (key, state.get(key), other.get(key))).collect();
                panic!("s{reference} and s{index} differ in {differs:#?}");
            }
            let mut extremities = peer.extremities();
            let unfollowed = peer.accepted_ends();
            extremities.retain(|id| !unfollowed.contains(id));
            assert!(extremities.is_empty(), "s{index} could build on what is built upon: {extremities:?}");
            if ends.iter().eq(&peer.extremities()) {
                assert_eq!(peer.state(), state, "s{index} has another state than it should");
            }
        }
    }

    /// The events that any of these servers accepted.
    fn accepted_by(&self, servers: &[usize]) -> BTreeSet<OwnedEventId> {
        servers.iter().flat_map(|index| self.peers[*index].accepted()).collect()
    }

    /// Tells of the first event before which two servers do not have the same state.
    fn tell_first_difference(&self, a: usize, b: usize) {
        let mut log: Vec<_> = self.peers[a].log().iter().map(|id| self.peers[a].pdu(id)).collect();
        log.sort_by_key(Pdu::depth);
        for pdu in log {
            let states = |index: usize| {
                let event = self.peers[index].room.store.find_event(pdu.event_id()).unwrap();
                event.and_then(|event| event.states).map(|states| self.peers[index].state_at(states.before))
            };
            let (Some(at_a), Some(at_b)) = (states(a), states(b)) else { continue };
            if at_a != at_b {
                type State = BTreeMap<(String, String), OwnedEventId>;
                let lacks = |one: &State, other: &State| -> Vec<String> {
                    let differs = one.iter().filter(|(key, id)| other.get(*key) != Some(*id));
                    differs.map(|(key, id)| format!("{key:?} {id}")).collect()
                };
                self.say(|| format!("first before {} {}", pdu.event_id(), pdu.event_type()));
                self.say(|| {
                    format!("s{a} has {:#?}, s{b} has {:#?}", lacks(&at_a, &at_b), lacks(&at_b, &at_a))
                });
                return;
            }
        }
    }

    /// What a server has written agrees with itself, and with the rules.
    fn keeps_its_books(&self, peer: &Peer) {
        let store = &peer.room.store;
        let Some(meta) = store.find_meta().unwrap() else { return };
        let log = store.log_forward(LogPosition(0), LogPosition(1 << 52), 1_000_000).unwrap();
        let mut seen = BTreeSet::new();
        for entry in &log {
            let Some(event) = store.event_of(entry).unwrap() else {
                // A redaction of what is not here, for servers that have it.
                assert_eq!(entry.kind, LogKind::Withheld);
                continue;
            };
            assert_eq!(event.position, Some(entry.position));
            assert_eq!(event.standing, Standing::Accepted);
            assert!(seen.insert(event.nid));
            assert!(!self.forged.contains(event.pdu.event_id()), "a forged event is shown");
            if event.redacted_by.is_some() && event.pdu.event_type() == "m.room.redaction" {
                // It no longer names its target, on which its right depends in the first versions.
                continue;
            }
            let before = State::at(store, event.states.unwrap().before);
            match check_state_dependent(&peer.rules.authorization, &event.pdu, &before) {
                Ok(()) => {}
                Err(AuthError::Rejected(rule)) => panic!("{} is shown: {rule}", event.pdu.event_id()),
                Err(AuthError::State(error)) => panic!("{error}"),
            }
        }
        for (_, id) in peer.state() {
            assert_ne!(peer.standing(&id), Some(Standing::Rejected));
            assert!(!self.forged.contains(&id), "a forged event is state");
        }
        let end = log.last().map(|entry| entry.position).max(Some(meta.whole_since));
        assert!(meta.extremities.is_empty() || end == Some(meta.last_position));
        counts_members(peer);
    }
}

fn members(peer: &Peer) -> BTreeMap<String, String> {
    let member = |((event_type, user), id): ((String, String), _)| {
        let membership = peer.pdu(&id).content_str("membership").unwrap().into_owned();
        (event_type == "m.room.member").then_some((user, membership))
    };
    peer.state()
        .into_iter()
        .filter(|((event_type, _), _)| event_type == "m.room.member")
        .filter_map(member)
        .collect()
}

/// What is counted as the state moves is what the state says.
fn counts_members(peer: &Peer) {
    let store = &peer.room.store;
    let meta = store.meta().unwrap();
    let members = members(peer);
    let count = |of: &str| members.values().filter(|membership| *membership == of).count() as u64;
    assert_eq!((meta.joined, meta.invited), (count("join"), count("invite")));
    let mut servers: BTreeMap<String, u64> = BTreeMap::new();
    let mut local = Vec::new();
    for (user, membership) in &members {
        let user = <&UserId>::try_from(user.as_str()).unwrap();
        if user.server_name() == peer.server {
            let stored = store.local_member(user).unwrap().unwrap();
            assert_eq!(&stored.membership, membership);
            local.extend((membership == "join").then(|| user.to_owned()));
        } else if membership == "join" {
            *servers.entry(user.server_name().to_string()).or_default() += 1;
        }
    }
    let resident = store.resident_servers("", 100).unwrap();
    let resident: BTreeMap<_, _> =
        resident.into_iter().map(|server| (server.name.to_string(), server.joined)).collect();
    assert_eq!(resident, servers);
    assert_eq!(store.joined_local("", 100).unwrap(), local);
}
