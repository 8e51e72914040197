//! Rooms of one server, for the tests of this module.

use std::{cell::Cell, rc::Rc};

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomVersionId, UInt,
    signatures::Ed25519KeyPair,
};
use selvedge_protocol::room_creation::{Preset, RoomCreation, build_create};

use crate::{
    engine,
    ledger::{self, Ledger},
    platform::{ActorKind, ActorName},
    room::{
        RoomEngine,
        commit::{Author, CommitError, Committed, Effects, NewEvent},
        state::State,
        store::{StoredEvent, Txn},
    },
    signing::key_pair,
    testing::World,
};

/// A server with a room of its own.
pub(crate) struct Fixture {
    pub world: Rc<World>,
    pub room: Rc<RoomEngine>,
    pub room_id: OwnedRoomId,
    pub server: OwnedServerName,
    key: Ed25519KeyPair,
    now: Cell<u64>,
}

/// The key of any server in tests.
pub(crate) fn key_of(server: &str) -> Ed25519KeyPair {
    let mut seed = [7; 32];
    for (byte, of_name) in seed.iter_mut().zip(server.bytes()) {
        *byte = of_name;
    }
    key_pair(&seed, "1".to_owned()).unwrap()
}

pub(crate) fn user(name: &str) -> OwnedUserId {
    if name.contains(':') {
        OwnedUserId::try_from(format!("@{name}")).unwrap()
    } else {
        OwnedUserId::try_from(format!("@{name}:selvedge.test")).unwrap()
    }
}

pub(crate) fn content(membership: &str) -> String {
    format!("{{\"membership\":\"{membership}\"}}")
}

impl Fixture {
    /// A public room, made by `@creator`.
    pub fn new(version: RoomVersionId) -> Self {
        let server = OwnedServerName::try_from("selvedge.test").unwrap();
        let creation = RoomCreation {
            version: version.clone(),
            creator: user("creator"),
            preset: Preset::Public,
            creation_content: serde_json::Map::new(),
            power_level_content_override: serde_json::Map::new(),
            canonical_alias: None,
            initial_state: Vec::new(),
            name: Some("A room".to_owned()),
            topic: None,
            invite: Vec::new(),
        };
        let rules = version.rules().unwrap();
        let key = key_of(server.as_str());
        let author = author(&server, &key, 1_000);
        let room_id = OwnedRoomId::try_from("!room:selvedge.test").unwrap();
        let create_content = serde_json::Value::Object(creation.create_content(&rules.authorization));
        let create =
            build_create(&rules, Some(room_id), user("creator"), create_content.to_string(), &author)
                .unwrap();
        let world = World::new();
        let name = ActorName { kind: ActorKind::Room, name: create.room_id().to_string() };
        let room = engine::start::<RoomEngine>(world.runtime(&name)).unwrap();
        let mut events = vec![NewEvent::state(
            user("creator"),
            "m.room.member",
            "@creator:selvedge.test",
            content("join"),
        )];
        events.extend(creation.state(&rules.authorization).into_iter().map(|draft| {
            NewEvent::state(user("creator"), &draft.event_type, &draft.state_key, draft.content)
        }));
        let _ = room.create(&author, version, &create, &events).unwrap();
        let room_id = create.room_id().to_owned();
        Self { world, room, room_id, server, key, now: Cell::new(1_000) }
    }

    pub fn author(&self) -> Author<'_> {
        self.now.set(self.now.get() + 1);
        author(&self.server, &self.key, self.now.get())
    }

    pub fn commit(&self, event: NewEvent) -> Result<(Committed, Effects), CommitError> {
        let (mut committed, effects) = self.room.commit(&self.author(), &[event])?;
        Ok((committed.remove(0), effects))
    }

    pub fn send(&self, event: NewEvent) -> OwnedEventId {
        let (committed, _) = self.commit(event).unwrap();
        committed.event_id
    }

    pub fn message(&self, sender: &str, body: &str) -> OwnedEventId {
        self.send(NewEvent::message(user(sender), "m.room.message", format!("{{\"body\":\"{body}\"}}"), None))
    }

    pub fn member(&self, sender: &str, target: &str, membership: &str) -> Result<Committed, CommitError> {
        let target = user(target);
        let event = NewEvent::state(user(sender), "m.room.member", target.as_str(), content(membership));
        self.commit(event).map(|(committed, _)| committed)
    }

    pub fn join(&self, name: &str) -> OwnedEventId {
        self.member(name, name, "join").unwrap().event_id
    }

    pub fn redact(&self, sender: &str, target: &OwnedEventId) -> Result<Committed, CommitError> {
        let event = NewEvent {
            redacts: Some(target.clone()),
            ..NewEvent::message(user(sender), "m.room.redaction", "{}", None)
        };
        self.commit(event).map(|(committed, _)| committed)
    }

    pub fn event(&self, id: &OwnedEventId) -> Rc<StoredEvent> {
        self.room.store.find_event(id).unwrap().unwrap()
    }

    pub fn state(&self) -> State {
        State::current(&self.room.store).unwrap()
    }

    pub fn cost(&self, work: impl FnOnce()) -> Ledger {
        let ((), cost) = self.world.block_on(ledger::scoped(async { work() }));
        cost
    }
}

fn author<'a>(server: &'a OwnedServerName, key: &'a Ed25519KeyPair, now: u64) -> Author<'a> {
    Author { server, key, now: MilliSecondsSinceUnixEpoch(UInt::try_from(now).unwrap()), entropy: [3; 12] }
}

pub(crate) fn txn(id: &str) -> Txn {
    Txn { device_id: "DEVICE".to_owned(), txn_id: id.to_owned(), redacts: None }
}
