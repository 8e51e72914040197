//! Rooms that are joined before all of their state is here.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use ruma::{EventId, OwnedServerName, OwnedUserId, RoomVersionId};
use selvedge_protocol::event::Pdu;
use serde_json::{Value, json};

use super::{
    inbound::keys,
    peer::{Peer, member},
};
use crate::{
    platform::{FetchError, OutboundRequest, OutboundResponse},
    room::{
        commit::{NewEvent, Received},
        store::Standing,
    },
    testing::SERVER_NAME,
};

const VERSIONS: [RoomVersionId; 2] = [RoomVersionId::V11, RoomVersionId::V12];

/// A room on `a` with users of `a` and `c`, which `b` has joined without knowing its members.
struct Story {
    a: Peer,
    b: Peer,
    c: Peer,
}

impl Story {
    fn new(version: &RoomVersionId) -> Self {
        Self::after(version, |_, _| {})
    }

    /// The same, after something happened in the room.
    fn after(version: &RoomVersionId, happens: impl FnOnce(&Peer, &Peer)) -> Self {
        let a = Peer::creating("a.test", version);
        let c = a.joined_by("c.test", "carol");
        happens(&a, &c);
        let b = Peer::joining("b.test", &a);
        let join = b.join_partially(&a, "bob");
        c.receive(&join);
        Self { a, b, c }
    }

    /// Gives `b` an event of `from` with its auth events.
    fn send(&self, from: &Peer, pdu: &Pdu) -> Received {
        self.b.receive_outliers(&from.auth_chain(std::slice::from_ref(pdu)));
        self.b.receive(pdu)
    }

    fn complete(&self) {
        self.b.complete_from(&self.a);
        assert!(!self.b.is_partial());
    }
}

/// An event by a user who has left, that hides it: it names the join as what authorises it.
fn by_one_who_left(peer: &Peer, join: &Pdu, event_type: &str, key: Option<&str>, content: &str) -> Pdu {
    let levels = peer.pdu(&peer.state()[&("m.room.power_levels".to_owned(), String::new())]);
    peer.forge_claiming(&[join], peer, "dave", (event_type, key, content), &levels)
}

/// A room in which dave of `a`, who has power, has left.
fn with_dave_gone(version: &RoomVersionId) -> (Story, Pdu) {
    let mut join = None;
    let story = Story::after(version, |a, c| {
        let joined = a.state_event("dave", "m.room.member", "@dave:a.test", &member("join"));
        let mut users = serde_json::json!({ "@dave:a.test": 50 });
        if !a.rules.authorization.explicitly_privilege_room_creators {
            users["@creator:a.test"] = 100.into();
        }
        let levels = serde_json::json!({ "users": users }).to_string();
        let levels = a.state_event("creator", "m.room.power_levels", "", &levels);
        let leave = a.state_event("dave", "m.room.member", "@dave:a.test", &member("leave"));
        for event in [&joined, &levels, &leave] {
            c.receive(event);
        }
        join = Some(joined);
    });
    (story, join.unwrap())
}

fn user(id: &str) -> OwnedUserId {
    OwnedUserId::try_from(id).unwrap()
}

#[test]
fn what_comes_meanwhile_is_taken_in_and_ends_in_the_same_state() {
    for version in &VERSIONS {
        let story = Story::new(version);
        let Story { a, b, c } = &story;
        assert!(b.is_partial());
        assert_eq!(b.room.store.meta().unwrap().joined, 1);
        let topic = a.state_event("creator", "m.room.topic", "", "{\"topic\":\"x\"}");
        let message = c.message("carol", "hello");
        a.receive(&message);
        c.receive(&topic);
        assert!(matches!(story.send(a, &topic), Received::Accepted(_)));
        assert!(matches!(story.send(c, &message), Received::Accepted(_)));
        let own = b.message("bob", "me too");
        assert!(matches!(a.receive(&own), Received::Accepted(_)));
        story.complete();
        assert_eq!(b.state(), a.state());
        assert_eq!(b.extremities(), a.extremities());
        assert_eq!(b.room.store.meta().unwrap().joined, 3);
        let servers = b.room.store.resident_servers("", 10).unwrap();
        let servers: Vec<_> = servers.iter().map(|server| (server.name.as_str(), server.joined)).collect();
        assert_eq!(servers, [("a.test", 1), ("c.test", 1)]);
        assert!(b.room.store.partial_events().unwrap().is_empty());
    }
}

#[test]
fn servers_that_are_said_to_take_part_are_followers_until_it_is_known() {
    let story = Story::new(&RoomVersionId::V11);
    let message = story.b.message("bob", "hello");
    let start =
        story.b.room.store.server(&OwnedServerName::try_from("c.test").unwrap()).unwrap().unwrap().since;
    let (owed, _) = story.b.owed_to(&story.c.server, start);
    assert_eq!(owed.last().map(Pdu::event_id), Some(message.event_id()));
    let leave = story.c.state_event("carol", "m.room.member", "@carol:c.test", &member("leave"));
    story.a.receive(&leave);
    story.send(&story.c, &leave);
    // There may be others of that server.
    assert_eq!(story.b.room.store.resident_servers("", 10).unwrap().len(), 2);
    story.complete();
    assert_eq!(story.b.room.store.resident_servers("", 10).unwrap().len(), 1);
}

#[test]
fn what_was_let_in_by_mistake_is_taken_back() {
    for version in &VERSIONS {
        let (story, join) = with_dave_gone(version);
        let Story { a, b, .. } = &story;
        let bad = by_one_who_left(a, &join, "m.room.topic", Some(""), "{\"topic\":\"bad\"}");
        b.receive_outliers(std::slice::from_ref(&join));
        assert!(matches!(b.receive(&bad), Received::Accepted(_)));
        let id = bad.event_id().to_owned();
        assert!(b.log().contains(&id));
        let shown = b.room.store.meta().unwrap().last_position;
        // One that rests on it too.
        let message = by_one_who_left(a, &join, "m.room.message", None, "{}");
        assert!(matches!(b.receive(&message), Received::Accepted(_)));
        story.complete();
        assert_eq!(b.standing(&id), Some(Standing::Rejected));
        assert_eq!(b.standing(&message.event_id().to_owned()), Some(Standing::Rejected));
        assert!(!b.log().contains(&id) && !b.log().contains(&message.event_id().to_owned()));
        assert_eq!(b.state(), a.state());
        assert_eq!(b.extremities(), a.extremities());
        // What clients were shown is known, so that they are told otherwise.
        let key = ("m.room.topic".to_owned(), String::new());
        let was = b.state_at(b.room.store.shown_root_at(shown).unwrap());
        assert_eq!(was.get(&key), Some(&id));
        assert!(!b.state_at(b.room.store.root_at(shown).unwrap()).contains_key(&key));
    }
}

#[test]
fn what_was_kept_out_by_mistake_is_let_in() {
    let (story, join) = with_dave_gone(&RoomVersionId::V11);
    let Story { a, b, c } = &story;
    b.receive_outliers(&a.auth_chain(std::slice::from_ref(&join)));
    b.receive_outliers(std::slice::from_ref(&join));
    let kick = by_one_who_left(a, &join, "m.room.member", Some("@carol:c.test"), &member("leave"));
    let received = b.receive(&kick);
    assert!(matches!(received, Received::Accepted(_)), "{received:?}");
    let message = c.message("carol", "still here");
    a.receive(&message);
    assert!(matches!(story.send(c, &message), Received::SoftFailed(_) | Received::Rejected(_)));
    let id = message.event_id().to_owned();
    assert!(!b.log().contains(&id));
    story.complete();
    assert_eq!(b.standing(&id), Some(Standing::Accepted));
    assert_eq!(b.log().last(), Some(&id));
    assert_eq!(b.state(), a.state());
    assert_eq!(b.extremities(), a.extremities());
}

#[test]
fn who_is_known_to_be_out_is_not_believed() {
    let story = Story::new(&RoomVersionId::V11);
    let Story { a, b, c } = &story;
    let ban = a.state_event("creator", "m.room.member", "@carol:c.test", &member("ban"));
    assert!(matches!(story.send(a, &ban), Received::Accepted(_)));
    let late = c.message("carol", "late");
    assert!(matches!(story.send(c, &late), Received::SoftFailed(_)));
    story.complete();
    assert_eq!(b.standing(&late.event_id().to_owned()), Some(Standing::SoftFailed));
}

#[test]
fn a_redaction_by_one_of_whom_nothing_is_known_waits() {
    let (story, join) = with_dave_gone(&RoomVersionId::V11);
    let Story { a, b, c } = &story;
    b.receive_outliers(&a.auth_chain(std::slice::from_ref(&join)));
    b.receive_outliers(std::slice::from_ref(&join));
    let target = b.message("bob", "stays");
    a.receive(&target);
    c.receive(&target);
    let redacts = format!("{{\"redacts\":\"{}\"}}", target.event_id());
    let bad = by_one_who_left(a, &join, "m.room.redaction", None, &redacts);
    assert!(matches!(b.receive(&bad), Received::Accepted(None)));
    let message = c.message("carol", "goes");
    a.receive(&message);
    story.send(c, &message);
    let good = c
        .commit(NewEvent {
            redacts: Some(message.event_id().to_owned()),
            ..NewEvent::message(c.user("carol"), "m.room.redaction", "{}", None)
        })
        .unwrap();
    a.receive(&good);
    assert!(matches!(story.send(c, &good), Received::Accepted(None)));
    assert_ne!(b.pdu(&message.event_id().to_owned()).content_json(), "{}");
    story.complete();
    assert_eq!(b.pdu(&message.event_id().to_owned()).content_json(), "{}");
    assert_ne!(b.pdu(&target.event_id().to_owned()).content_json(), "{}");
    assert!(b.log().contains(&good.event_id().to_owned()));
    assert!(!b.log().contains(&bad.event_id().to_owned()));
}

#[test]
fn a_crash_while_the_state_becomes_whole_leaves_it_partial_or_whole() {
    for statements in (0..400).step_by(7) {
        let (story, join) = with_dave_gone(&RoomVersionId::V11);
        let Story { a, b, c } = story;
        b.receive_outliers(&a.auth_chain(std::slice::from_ref(&join)));
        b.receive_outliers(std::slice::from_ref(&join));
        let bad = by_one_who_left(&a, &join, "m.room.topic", Some(""), "{\"topic\":\"bad\"}");
        b.receive(&bad);
        b.message("bob", "hello");
        let state = b.state();
        b.crash.plan(statements);
        let outcome = b.try_complete_from(&a);
        let is_over = outcome.is_ok();
        let b = b.restarted();
        if b.is_partial() {
            assert_eq!(b.state(), state);
            b.complete_from(&a);
        }
        assert_eq!(b.state(), a.state());
        assert!(!b.log().contains(&bad.event_id().to_owned()));
        drop(c);
        if is_over {
            return;
        }
    }
    panic!("it never becomes whole");
}

#[test]
fn a_state_that_forbids_the_join_is_not_believed() {
    let story = Story::new(&RoomVersionId::V11);
    let Story { a, b, .. } = &story;
    let join = b.room.store.awaited_join().unwrap().unwrap();
    let ban = a.state_event("creator", "m.room.member", "@bob:b.test", &member("ban"));
    b.receive_outliers(&a.auth_chain(std::slice::from_ref(&ban)));
    b.receive_outliers(std::slice::from_ref(&ban));
    let (state, chain) = a.state_before(&b.room.store.event_id(join).unwrap());
    b.receive_outliers(&[chain, state.clone()].concat());
    let mut ids: Vec<_> = state.iter().map(|event| event.event_id().to_owned()).collect();
    ids.push(ban.event_id().to_owned());
    let root = b.room.root_of(&b.server, &ids).unwrap().unwrap();
    assert!(b.room.settle_join(&b.server, join, root).unwrap().is_some());
    assert_eq!(b.room.store.awaited_join().unwrap(), Some(join));
    story.complete();
}

#[test]
fn a_second_stay_is_completed_with_the_first() {
    let story = Story::new(&RoomVersionId::V11);
    let Story { a, b, .. } = &story;
    let leave = b.state_event("bob", "m.room.member", "@bob:b.test", &member("leave"));
    a.receive(&leave);
    assert!(!b.room.store.is_any_local_joined().unwrap());
    let join = b.join_partially(a, "ben");
    assert_eq!(b.extremities(), vec![join.event_id().to_owned()]);
    story.complete();
    assert_eq!(b.state(), a.state());
    assert_eq!(b.extremities(), a.extremities());
    assert!(b.log().contains(&leave.event_id().to_owned()));
}

#[test]
fn devices_that_changed_meanwhile_are_told_of_when_it_is_known_who_is_there() {
    let story = Story::new(&RoomVersionId::V11);
    let Story { b, .. } = &story;
    b.room
        .store
        .write(|writer| {
            writer.insert_partial_device_change(&user("@carol:c.test"))?;
            writer.insert_partial_device_change(&user("@nobody:c.test"))
        })
        .unwrap();
    let before = b.room.store.meta().unwrap().last_position;
    story.complete();
    let end = b.room.store.meta().unwrap().last_position;
    assert_eq!(b.room.store.device_list_changes(before, end).unwrap(), [user("@carol:c.test")]);
}

/// A server that joined a room of `members` without knowing them, and that can ask `a.test`, unless that is dead, and
/// `c.test` for the rest.
struct Fetching {
    a: Rc<Peer>,
    b: Peer,
    asked: Rc<RefCell<Vec<String>>>,
    is_dead: Rc<Cell<bool>>,
}

impl Fetching {
    fn new(members: usize) -> Self {
        let a = Rc::new(Peer::creating("a.test", &RoomVersionId::V11));
        let carol = a.joined_by("c.test", "carol");
        for index in 0..members {
            let user = format!("@user{index}:a.test");
            a.state_event(&format!("user{index}"), "m.room.member", &user, &member("join"));
        }
        drop(carol);
        let b = Peer::joining(SERVER_NAME, &a);
        b.join_partially(&a, "bob");
        let (asked, is_dead): (Rc<RefCell<Vec<String>>>, Rc<Cell<bool>>) = Default::default();
        let (peer, log, dead, now) = (Rc::clone(&a), Rc::clone(&asked), Rc::clone(&is_dead), b.world.now());
        b.world.connect(move |request| {
            if request.url.starts_with("https://a.test:8448/_matrix/federation/") && dead.get() {
                log.borrow_mut().push("dead".to_owned());
                return Err(FetchError::TimedOut);
            }
            Ok(respond(&peer, &request, &log, now))
        });
        Self { a, b, asked, is_dead }
    }

    fn ring(&self) {
        self.b.world.advance(1_000_000);
        self.b.world.block_on(self.b.room.continue_completion());
    }
}

fn respond(peer: &Peer, request: &OutboundRequest, log: &RefCell<Vec<String>>, now: u64) -> OutboundResponse {
    let (server, target) =
        request.url.strip_prefix("https://").unwrap().split_once(":8448").unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let named = query.strip_prefix("event_id=").unwrap_or(path.rsplit('/').next().unwrap());
    let named = EventId::parse(named.replace("%24", "$"));
    let json_of = |pdu: &Pdu| serde_json::from_str::<Value>(pdu.json()).unwrap();
    let ids = |events: &[Pdu]| events.iter().map(Pdu::event_id).map(ToOwned::to_owned).collect::<Vec<_>>();
    let parts: Vec<_> = path.split('/').collect();
    let question = *parts.get(4).unwrap_or(&"");
    if question == "server" {
        let body = keys(server, now).to_string().into_bytes();
        return OutboundResponse { status: 200, headers: Vec::new(), body };
    }
    log.borrow_mut().push(question.to_owned());
    let answer = match (question, named) {
        ("state_ids", Ok(id)) => {
            let (state, chain) = peer.state_before(&id);
            json!({ "pdu_ids": ids(&state), "auth_chain_ids": ids(&chain) })
        }
        ("state", Ok(id)) => {
            let (state, chain) = peer.state_before(&id);
            let json = |events: &[Pdu]| events.iter().map(json_of).collect::<Vec<_>>();
            json!({ "pdus": json(&state), "auth_chain": json(&chain) })
        }
        ("event", Ok(id)) => {
            json!({ "origin": server, "origin_server_ts": 1, "pdus": [json_of(&peer.pdu(&id))] })
        }
        _ => Value::Null,
    };
    let status = if answer.is_null() { 404 } else { 200 };
    OutboundResponse { status, headers: Vec::new(), body: answer.to_string().into_bytes() }
}

#[test]
fn the_rest_of_a_small_state_is_fetched_by_ids() {
    let story = Fetching::new(5);
    story.ring();
    assert!(!story.b.is_partial());
    assert_eq!(story.b.state(), story.a.state());
    assert!(!story.asked.borrow().iter().any(|question| question == "state"));
}

#[test]
fn the_rest_of_a_large_state_is_fetched_as_a_whole() {
    let story = Fetching::new(120);
    story.ring();
    assert!(!story.b.is_partial());
    assert_eq!(story.b.state(), story.a.state());
    let count = |what: &str| story.asked.borrow().iter().filter(|question| *question == what).count();
    assert_eq!((count("state_ids"), count("state")), (1, 1));
    assert!(count("event") < 3, "not one by one");
}

#[test]
fn when_a_server_is_dead_another_is_asked() {
    let story = Fetching::new(5);
    story.is_dead.set(true);
    story.ring();
    assert!(story.asked.borrow().iter().any(|question| question == "dead"));
    assert!(!story.b.is_partial());
    assert_eq!(story.b.state(), story.a.state());
}
