//! Rooms that arrive in pieces, at an actor that the platform may take down between any two of them.

use std::rc::Rc;

use crate::{
    platform::{ActorKind, ActorName},
    rpc::room::{
        BeginImport, CheckedEvent, FinishImport, ImportPiece, ReleaseImport, Reservation, ReserveImport,
    },
    testing::{
        SERVER_NAME, World,
        large_room::{LargeRoom, verified},
    },
};

/// A server that is about to join a room.
struct Joining {
    world: Rc<World>,
    room: LargeRoom,
}

impl Joining {
    fn new() -> Self {
        Self { world: World::new(), room: LargeRoom::new() }
    }

    /// The platform takes the room's actor down.
    fn hibernate(&self) {
        self.world.hibernate(&ActorName { kind: ActorKind::Room, name: self.room.room_id.to_string() });
    }

    fn reserve(&self) -> Reservation {
        self.world.call(&self.room.room_id, &ReserveImport {}).unwrap()
    }

    fn token(&self) -> u64 {
        match self.reserve() {
            Reservation::Import(token) => token,
            other => panic!("{other:?}"),
        }
    }

    fn begin(&self, token: u64) -> Result<(), u16> {
        let command = BeginImport { token, version: self.room.version.clone() };
        self.world.call(&self.room.room_id, &command).map_err(|error| error.status)
    }

    fn hand_in(&self, token: u64, members: std::ops::Range<usize>) -> Result<(), u16> {
        let members = members.map(|number| self.room.member(number));
        let state = members.chain(self.room.state()).map(|pdu| CheckedEvent::new(verified(pdu)).unwrap());
        let command = ImportPiece { token, auth_chain: Vec::new(), state: state.collect() };
        self.world.call(&self.room.room_id, &command).map_err(|error| error.status)
    }

    fn finish(&self, token: u64) -> Result<(), u16> {
        let join = verified(self.room.join("user", SERVER_NAME, 1_000_000));
        let command = FinishImport { token, join: CheckedEvent::new(join).unwrap(), without_members: None };
        self.world.call(&self.room.room_id, &command).map_err(|error| error.status)
    }
}

#[test]
fn an_import_outlives_the_memory_of_its_room() {
    let joining = Joining::new();
    let token = joining.token();
    joining.hibernate();
    joining.begin(token).unwrap();
    joining.hibernate();
    joining.hand_in(token, 0..700).unwrap();
    joining.hibernate();
    joining.hand_in(token, 700..1_400).unwrap();
    joining.hibernate();
    joining.finish(token).unwrap();
    assert_eq!(joining.reserve(), Reservation::Here);
}

#[test]
fn what_two_imports_bring_is_not_mixed() {
    let joining = Joining::new();
    let first = joining.token();
    assert_eq!(joining.reserve(), Reservation::Busy);
    joining.begin(first).unwrap();
    joining.hand_in(first, 0..10).unwrap();
    joining.hibernate();
    let second = joining.token();
    joining.begin(second).unwrap();
    joining.hibernate();
    for refused in [joining.hand_in(first, 10..20), joining.finish(first), joining.begin(first)] {
        assert_eq!(refused, Err(502));
    }
    joining.hand_in(second, 0..20).unwrap();
    joining.finish(second).unwrap();
    assert_eq!(joining.reserve(), Reservation::Here);
}

#[test]
fn a_reservation_that_is_given_back_is_free_for_the_next() {
    let joining = Joining::new();
    let token = joining.token();
    joining.world.call(&joining.room.room_id, &ReleaseImport { token }).unwrap();
    let next = joining.token();
    assert!(next > token);
    assert_eq!(joining.begin(token), Err(502));
    joining.begin(next).unwrap();
}
