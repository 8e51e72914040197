//! Telling followers.

use std::rc::Rc;

use futures_util::FutureExt;
use ruma::{RoomVersionId, ServerName};

use super::fixture::{Fixture, content, user};
use crate::{
    database::DatabaseExt,
    engine, params,
    platform::{ActorKind, ActorName},
    room::{RoomEngine, commit::NewEvent},
    rpc::room::{LogPosition, PullForServer},
};

impl Fixture {
    /// Commits and wakes; who was called, by what.
    fn commit_and_wake(&self, event: NewEvent) -> Vec<(String, &'static str)> {
        let (_, effects) = self.commit(event).unwrap();
        self.room.wake(effects);
        self.settled_calls()
    }

    fn fetch_for(&self, server: &ServerName) -> LogPosition {
        let after = LogPosition(0);
        let pull = PullForServer { server: server.to_owned(), after, limit: 50, catch_up: false };
        self.room.pull_for_server(pull).now_or_never().unwrap().unwrap().position
    }

    fn settled_calls(&self) -> Vec<(String, &'static str)> {
        self.world.settle();
        let calls = self.world.take_calls().into_iter();
        calls.map(|(actor, op)| (format!("{:?} {}", actor.kind, actor.name), op)).collect()
    }
}

fn message() -> NewEvent {
    NewEvent::message(user("creator"), "m.room.message", "{}", None)
}

fn woken_by(calls: &[(String, &'static str)], op: &str) -> Vec<String> {
    calls.iter().filter(|(_, called)| *called == op).map(|(name, _)| name.clone()).collect()
}

#[test]
fn a_follower_that_was_woken_and_has_not_fetched_is_not_woken_again() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let calls = fixture.commit_and_wake(message());
    assert_eq!(woken_by(&calls, "RoomChanged"), vec!["User creator"]);
    assert!(fixture.commit_and_wake(message()).is_empty());
    fixture.room.pulled_by_user(&user("creator"));
    assert_eq!(woken_by(&fixture.commit_and_wake(message()), "RoomChanged"), vec!["User creator"]);
}

#[test]
fn a_user_is_always_told_of_their_own_membership() {
    let fixture = Fixture::new(RoomVersionId::V11);
    for membership in ["invite", "leave"] {
        let sent = content(membership);
        let event = NewEvent::state(user("creator"), "m.room.member", user("bob").as_str(), sent);
        let calls = fixture.commit_and_wake(event);
        assert!(woken_by(&calls, "SetMembership").contains(&"User bob".to_owned()), "{calls:?}");
    }
}

#[test]
fn servers_are_woken_for_what_this_server_must_give_them_also_when_they_have_just_left() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let join = NewEvent::state(user("x:far.test"), "m.room.member", "@x:far.test", content("join"));
    let calls = fixture.commit_and_wake(join);
    assert_eq!(woken_by(&calls, "RoomChanged").last().unwrap(), "RemoteServer far.test");
    fixture.fetch_for(ruma::server_name!("far.test"));
    let kick = NewEvent::state(user("creator"), "m.room.member", "@x:far.test", content("leave"));
    let calls = fixture.commit_and_wake(kick);
    assert!(woken_by(&calls, "RoomChanged").contains(&"RemoteServer far.test".to_owned()), "{calls:?}");
}

#[test]
fn a_server_that_has_fetched_what_a_wake_is_about_is_woken_by_the_next() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let join = NewEvent::state(user("x:far.test"), "m.room.member", "@x:far.test", content("join"));
    let _ = fixture.commit_and_wake(join);
    let far = ruma::server_name!("far.test");
    let (_, effects) = fixture.commit(message()).unwrap();
    // Its queue had a reason of its own to ask, just before it would have been woken.
    assert_eq!(fixture.fetch_for(far), fixture.room.store.meta().unwrap().last_position);
    fixture.room.wake(effects);
    let queue = "RemoteServer far.test".to_owned();
    assert!(!woken_by(&fixture.settled_calls(), "RoomChanged").contains(&queue));
    assert!(woken_by(&fixture.commit_and_wake(message()), "RoomChanged").contains(&queue));
}

#[test]
fn a_wake_that_a_crash_cut_short_is_finished_by_the_next_request() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let _ = fixture.commit(message()).unwrap();
    let name = ActorName { kind: ActorKind::Room, name: fixture.room_id.to_string() };
    let room: Rc<RoomEngine> = engine::start(fixture.world.runtime(&name)).unwrap();
    room.recover_wakes().unwrap();
    let calls = fixture.settled_calls();
    assert_eq!(woken_by(&calls, "SetMembership"), vec!["User creator"]);
    assert_eq!(woken_by(&calls, "RoomChanged"), vec!["User creator"]);
    let woken: u64 = fixture
        .world
        .database(&name)
        .query_first("SELECT woken_position FROM room", params![], |row| row.get(0))
        .unwrap()
        .unwrap();
    assert_eq!(woken, room.store.meta().unwrap().last_position.0);
    room.recover_wakes().unwrap();
    assert!(fixture.settled_calls().is_empty());
}
