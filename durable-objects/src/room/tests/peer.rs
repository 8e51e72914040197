//! Several servers that share a room, each with an engine of its own.

mod crash;
mod joining;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId,
    RoomVersionId, ServerName, UInt, UserId, room_version_rules::RoomVersionRules,
    signatures::Ed25519KeyPair,
};
use selvedge_protocol::{
    event::{EventBuilder, EventReference, Pdu, VerifiedPdu},
    nid::EventNid,
    room_creation::build_create,
    room_creation::{Preset, RoomCreation},
    state_res,
    state_tree::StateRoot,
};
use serde_json::value::RawValue;

pub(crate) use self::crash::Crash;
use self::crash::Mortal;
use super::fixture::key_of;
use crate::{
    database::DatabaseError,
    engine,
    platform::{ActorKind, ActorName},
    room::{
        RoomEngine,
        commit::{
            Author, CommitError, Committed, HistoryEvent, NewEvent, Outlier, Received, RemoteEvent, ToldState,
        },
        graph,
        state::State,
        store::{RoomMeta, Standing, StoredEvent},
    },
    rpc::room::{LogPosition, PullForServer},
    testing::World,
};

/// One server in the room.
pub(crate) struct Peer {
    pub server: OwnedServerName,
    pub room: Rc<RoomEngine>,
    pub rules: RoomVersionRules,
    pub version: RoomVersionId,
    pub key: Ed25519KeyPair,
    clock: Rc<Cell<u64>>,
    pub world: Rc<World>,
    /// When the server crashes.
    pub crash: Rc<Crash>,
}

impl Peer {
    fn empty(server: &str, version: &RoomVersionId, clock: &Rc<Cell<u64>>) -> Self {
        let world = World::new();
        let crash = Rc::new(Crash::default());
        Self {
            server: OwnedServerName::try_from(server).unwrap(),
            room: start(&world, &crash),
            crash,
            rules: version.rules().unwrap(),
            version: version.clone(),
            key: key_of(server),
            clock: Rc::clone(clock),
            world,
        }
    }

    /// A server that makes a public room, whose creator is `creator` on it.
    pub fn creating(server: &str, version: &RoomVersionId) -> Self {
        let peer = Self::empty(server, version, &Rc::new(Cell::new(1_000)));
        let creator = peer.user("creator");
        let creation = RoomCreation {
            version: version.clone(),
            creator: creator.clone(),
            preset: Preset::Public,
            creation_content: serde_json::Map::new(),
            power_level_content_override: serde_json::Map::new(),
            canonical_alias: None,
            initial_state: Vec::new(),
            name: None,
            topic: None,
            invite: Vec::new(),
        };
        let content = serde_json::Value::Object(creation.create_content(&peer.rules.authorization));
        let room_id = OwnedRoomId::try_from(format!("!room:{server}")).unwrap();
        let author = peer.author();
        let create =
            build_create(&peer.rules, Some(room_id), creator.clone(), content.to_string(), &author).unwrap();
        let mut events =
            vec![NewEvent::state(creator.clone(), "m.room.member", creator.as_str(), member("join"))];
        events.extend(creation.state(&peer.rules.authorization).into_iter().map(|draft| {
            NewEvent::state(creator.clone(), &draft.event_type, &draft.state_key, draft.content)
        }));
        let _ = peer.room.create(&author, version.clone(), &create, &events).unwrap();
        peer
    }

    /// A server that is not in the room of `peer` yet.
    pub fn joining(server: &str, peer: &Self) -> Self {
        Self::empty(server, &peer.version, &peer.clock)
    }

    /// An event on top of what this server has, which no rule was asked about.
    pub fn forge(
        &self,
        name: &str,
        event_type: &str,
        state_key: Option<&str>,
        content: &str,
        levels: &Pdu,
    ) -> Pdu {
        self.forge_in(self, name, event_type, state_key, content, levels)
    }

    /// The same, on top of what another server has.
    pub fn forge_in(
        &self,
        peer: &Self,
        name: &str,
        event_type: &str,
        state_key: Option<&str>,
        content: &str,
        levels: &Pdu,
    ) -> Pdu {
        let key = ("m.room.member".to_owned(), self.user(name).to_string());
        let member = peer.state().get(&key).map(|id| peer.pdu(id));
        let claims: Vec<_> = member.iter().collect();
        self.forge_claiming(&claims, peer, name, (event_type, state_key, content), levels)
    }

    /// The same, with these member events as what authorises it.
    pub fn forge_claiming(
        &self,
        claims: &[&Pdu],
        peer: &Self,
        name: &str,
        (event_type, state_key, content): (&str, Option<&str>, &str),
        levels: &Pdu,
    ) -> Pdu {
        let user = self.user(name);
        let state = peer.state();
        let known =
            |event_type: &str, key: &str| state.get(&(event_type.to_owned(), key.to_owned())).cloned();
        let mut auth = vec![levels.event_id().to_owned()];
        auth.extend(claims.iter().map(|claim| claim.event_id().to_owned()));
        if event_type == "m.room.member" && content == member("join") {
            auth.extend(known("m.room.join_rules", ""));
        }
        if !self.rules.authorization.room_create_event_id_as_room_id {
            auth.extend(known("m.room.create", ""));
        }
        let reference = |id: &OwnedEventId| EventReference::to(&peer.pdu(id), &self.rules);
        let builder = EventBuilder {
            room_id: Some(peer.room.store.meta().unwrap().room_id.clone()),
            sender: user,
            event_type: event_type.to_owned(),
            state_key: state_key.map(str::to_owned),
            content: content.to_owned(),
            redacts: None,
            origin_server_ts: self.now(),
            depth: 100,
            prev_events: peer.extremities().iter().map(reference).collect(),
            auth_events: auth.iter().map(reference).collect(),
            opaque_id: Some(format!("forged{}", self.clock.get())),
        };
        builder.build(&self.server, &self.key, &self.rules).unwrap()
    }

    /// The room's row.
    pub fn find_meta(&self) -> Result<Option<Rc<RoomMeta>>, DatabaseError> {
        self.room.store.find_meta()
    }

    /// How many events were ever stored.
    pub fn event_count(&self) -> u32 {
        self.find_meta().unwrap().map_or(0, |meta| meta.last_nid.0)
    }

    /// The event as another server gets it, verified.
    pub fn verified(&self, pdu: &Pdu) -> VerifiedPdu {
        VerifiedPdu::vouched_for(Pdu::parse(pdu.json(), &self.rules).unwrap(), false)
    }

    pub fn user(&self, name: &str) -> OwnedUserId {
        OwnedUserId::try_from(format!("@{name}:{}", self.server)).unwrap()
    }

    pub fn now(&self) -> MilliSecondsSinceUnixEpoch {
        self.clock.set(self.clock.get() + 1);
        MilliSecondsSinceUnixEpoch(UInt::try_from(self.clock.get()).unwrap())
    }

    pub fn author(&self) -> Author<'_> {
        let now = self.now();
        let mut entropy = [0; 12];
        entropy[..8].copy_from_slice(&u64::from(now.get()).to_le_bytes());
        Author { server: &self.server, key: &self.key, now, entropy }
    }

    pub fn commit(&self, event: NewEvent) -> Result<Pdu, CommitError> {
        let (mut committed, _): (Vec<Committed>, _) = self.room.commit(&self.author(), &[event])?;
        let event = self.room.store.find_event(&committed.remove(0).event_id)?;
        Ok((*event.expect("what was committed is there").pdu).clone())
    }

    pub fn message(&self, name: &str, body: &str) -> Pdu {
        let content = format!("{{\"body\":\"{body}\"}}");
        self.commit(NewEvent::message(self.user(name), "m.room.message", content, None)).unwrap()
    }

    pub fn state_event(&self, name: &str, event_type: &str, key: &str, content: &str) -> Pdu {
        self.commit(NewEvent::state(self.user(name), event_type, key, content)).unwrap()
    }

    pub fn pdu(&self, id: &OwnedEventId) -> Pdu {
        (*self.room.store.find_event(id).unwrap().unwrap().pdu).clone()
    }

    pub fn receive(&self, pdu: &Pdu) -> Received {
        self.receive_as(pdu, false, None).unwrap()
    }

    pub fn receive_as(
        &self,
        pdu: &Pdu,
        broadcast: bool,
        state_before: Option<StateRoot>,
    ) -> Result<Received, CommitError> {
        let event = RemoteEvent {
            pdu: self.verified(pdu),
            told: state_before.map(ToldState::Before),
            broadcast,
            refusal: None,
        };
        self.room.receive(&self.server, &event).map(|(received, _)| received)
    }

    pub fn receive_outliers(&self, pdus: &[Pdu]) -> Vec<Outlier> {
        self.try_outliers(pdus).unwrap()
    }

    pub fn try_outliers(&self, pdus: &[Pdu]) -> Result<Vec<Outlier>, CommitError> {
        let pdus: Vec<_> = pdus.iter().map(|pdu| self.verified(pdu)).collect();
        self.room.receive_outliers(&self.server, &pdus)
    }

    pub fn receive_history(&self, events: &[(Pdu, Option<StateRoot>)]) -> Vec<Received> {
        let events: Vec<_> = events
            .iter()
            .map(|(pdu, state_before)| HistoryEvent {
                pdu: self.verified(pdu),
                told: state_before.map(ToldState::Before),
            })
            .collect();
        self.room.receive_history(&self.server, &events).unwrap().0
    }

    /// The ids of the events of the state before an event, and of their auth chain, as `state_ids` answers.
    pub fn state_before(&self, id: &OwnedEventId) -> (Vec<Pdu>, Vec<Pdu>) {
        let store = &self.room.store;
        let event = store.find_event(id).unwrap().unwrap();
        let state = State::at(store, event.states.unwrap().before);
        let chain =
            graph::auth_chain(store, state.entries().map(|entry| entry.map(|(_, event)| event))).unwrap();
        let chain = chain.into_iter().map(|nid| (*store.event(nid).unwrap().pdu).clone()).collect();
        (state.all().unwrap().iter().map(|event| (*event.pdu).clone()).collect(), chain)
    }

    /// The current state, comparable between servers.
    pub fn state(&self) -> BTreeMap<(String, String), OwnedEventId> {
        self.state_at(State::current(&self.room.store).unwrap().root())
    }

    /// The state at a root.
    pub fn state_at(&self, root: StateRoot) -> BTreeMap<(String, String), OwnedEventId> {
        State::at(&self.room.store, root)
            .all()
            .unwrap()
            .iter()
            .map(|event| {
                let key = (event.pdu.event_type().to_owned(), event.pdu.state_key().unwrap().to_owned());
                (key, event.pdu.event_id().to_owned())
            })
            .collect()
    }

    pub fn extremities(&self) -> Vec<OwnedEventId> {
        self.try_extremities().unwrap()
    }

    pub fn try_extremities(&self) -> Result<Vec<OwnedEventId>, DatabaseError> {
        let nids = self.find_meta()?.map_or_else(Vec::new, |meta| meta.extremities.clone());
        let mut ids =
            nids.into_iter().map(|nid| self.room.store.event_id(nid)).collect::<Result<Vec<_>, _>>()?;
        ids.sort();
        Ok(ids)
    }

    /// The events whose place in the DAG is known.
    fn placed(&self) -> Vec<Rc<StoredEvent>> {
        let store = &self.room.store;
        let events = (1..=self.event_count()).map(|nid| store.event(EventNid(nid)).unwrap());
        events.filter(|event| !event.is_outlier()).collect()
    }

    /// The events that this server accepted.
    pub fn accepted(&self) -> BTreeSet<OwnedEventId> {
        let accepted = self.placed().into_iter().filter(|event| event.standing == Standing::Accepted);
        accepted.map(|event| event.pdu.event_id().to_owned()).collect()
    }

    /// The accepted events that no other follows.
    pub fn accepted_ends(&self) -> BTreeSet<OwnedEventId> {
        let mut ends = self.accepted();
        for event in self.placed().iter().filter(|event| event.standing == Standing::Accepted) {
            for prev in event.pdu.prev_events() {
                ends.remove(prev);
            }
        }
        ends
    }

    /// Of `events`, those that this server has not rejected and that none of them comes after.
    pub fn ends_of(&self, events: &BTreeSet<OwnedEventId>) -> BTreeSet<OwnedEventId> {
        let placed = self.placed();
        let prevs_of: BTreeMap<_, _> =
            placed.iter().map(|event| (event.pdu.event_id(), event.pdu.prev_events())).collect();
        let is_one = |event: &&Rc<StoredEvent>| {
            event.standing != Standing::Rejected && events.contains(event.pdu.event_id())
        };
        let mut ends: BTreeSet<_> =
            placed.iter().filter(is_one).map(|event| event.pdu.event_id().to_owned()).collect();
        let prevs = |id: &EventId| prevs_of.get(id).copied().unwrap_or_default();
        let mut behind: Vec<_> = ends.iter().flat_map(|id| prevs(id)).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = behind.pop() {
            if seen.insert(id) {
                ends.remove(id);
                behind.extend(prevs(id));
            }
        }
        ends
    }

    /// What the states after the last of `events` resolve to.
    pub fn state_at_ends(&self, events: &BTreeSet<OwnedEventId>) -> BTreeMap<(String, String), OwnedEventId> {
        let store = &self.room.store;
        let roots: Vec<_> = self
            .ends_of(events)
            .iter()
            .map(|id| store.find_event(id).unwrap().unwrap().states.unwrap().after)
            .collect();
        let root = store.write(|writer| state_res::resolve(&self.rules, writer, &roots)).unwrap();
        self.state_at(root)
    }

    /// The servers whose users are in the room in a state of this server's.
    pub fn joined_servers(
        &self,
        state: &BTreeMap<(String, String), OwnedEventId>,
    ) -> BTreeSet<OwnedServerName> {
        let members = state.iter().filter(|((event_type, _), _)| event_type == "m.room.member");
        let joined =
            members.filter(|(_, id)| self.pdu(id).content_str("membership").as_deref() == Some("join"));
        joined
            .map(|((_, user), _)| <&UserId>::try_from(user.as_str()).unwrap().server_name().to_owned())
            .collect()
    }

    pub fn standing(&self, id: &OwnedEventId) -> Option<Standing> {
        self.room.store.find_event(id).unwrap().map(|event| event.standing)
    }

    /// The ids of the events in the log, in order.
    pub fn log(&self) -> Vec<OwnedEventId> {
        let store = &self.room.store;
        let entries = store.log_forward(LogPosition(0), LogPosition(1 << 52), 100_000).unwrap();
        entries.iter().filter_map(|entry| entry.nid).map(|nid| store.event_id(nid).unwrap()).collect()
    }

    /// The same server after a crash: nothing is left but its database.
    pub fn restarted(self) -> Self {
        self.crash.avert();
        Self { room: start(&self.world, &self.crash), ..self }
    }

    /// What the room owes to another server after a position.
    pub fn owed_to(&self, server: &ServerName, after: LogPosition) -> (Vec<Pdu>, LogPosition) {
        let command = PullForServer { server: server.to_owned(), after, limit: 50, catch_up: false };
        let pulled = self.world.block_on(self.room.pull_for_server(command)).unwrap();
        let parse = |pdu: &RawValue| Pdu::parse(pdu.get(), &self.rules).unwrap();
        (pulled.pdus.iter().map(|pdu| parse(pdu)).collect(), pulled.position)
    }
}

fn start(world: &World, crash: &Rc<Crash>) -> Rc<RoomEngine> {
    let mut runtime = world.runtime(&ActorName { kind: ActorKind::Room, name: "room".to_owned() });
    runtime.db = Rc::new(Mortal { database: runtime.db, crash: Rc::clone(crash) });
    engine::start(runtime).unwrap()
}

pub(crate) fn member(membership: &str) -> String {
    format!("{{\"membership\":\"{membership}\"}}")
}
