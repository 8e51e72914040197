//! Events of a server that is asked for what is missing, and may be hostile.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{OwnedEventId, OwnedServerName, RoomVersionId, ServerName};
use selvedge_protocol::event::{Pdu, VerifiedPdu, sign_object};
use serde_json::{Value, json};

use super::{
    fixture::key_of,
    peer::{Peer, member},
};
use crate::{
    platform::{FetchError, OutboundRequest, OutboundResponse},
    room::store::Standing,
    rpc::room::{CheckedEvent, ReceivePdus},
    testing::{SERVER_NAME, World},
};

const HOSTILE: &str = "a.test";

/// What the other server answers to a question: path and body.
type Answers = dyn Fn(&str, &Value) -> Option<Value>;

/// Two servers in a room, of which one can be asked.
struct Story {
    a: Rc<Peer>,
    b: Peer,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Story {
    fn new(answers: impl Fn(&Peer, &str, &Value) -> Option<Value> + 'static) -> Self {
        let a = Rc::new(Peer::creating(HOSTILE, &RoomVersionId::V11));
        let b = a.joined_by(SERVER_NAME, "bob");
        let asked: Rc<RefCell<Vec<String>>> = Rc::default();
        let (peer, log) = (Rc::clone(&a), Rc::clone(&asked));
        let answers: Box<Answers> = Box::new(move |path, body| answers(&peer, path, body));
        let now = b.world.now();
        b.world.connect(move |request| answer(&request, now, &log, &answers));
        Self { a, b, asked }
    }

    /// Sends events; why each was refused.
    fn send(&self, pdus: &[&Pdu]) -> Vec<Option<String>> {
        let checked =
            |pdu: &&Pdu| CheckedEvent::new(VerifiedPdu::vouched_for((*pdu).clone(), false)).unwrap();
        let command = ReceivePdus {
            origin: OwnedServerName::try_from(HOSTILE).unwrap(),
            pdus: pdus.iter().map(checked).collect(),
        };
        self.b.world.block_on(self.b.room.receive_pdus(command)).unwrap()
    }

    fn is_here(&self, pdu: &Pdu) -> bool {
        let event = self.b.room.store.find_event(pdu.event_id()).unwrap();
        event.is_some_and(|event| !event.is_outlier() && event.standing == Standing::Accepted)
    }

    /// How often a question was asked.
    fn count(&self, question: &str) -> usize {
        self.asked.borrow().iter().filter(|path| path.contains(question)).count()
    }
}

fn answer(
    request: &OutboundRequest,
    now: u64,
    log: &RefCell<Vec<String>>,
    answers: &Answers,
) -> Result<OutboundResponse, FetchError> {
    let path = request.url.strip_prefix("https://a.test:8448").unwrap_or(&request.url);
    let respond = |status, body: &Value| {
        Ok(OutboundResponse { status, headers: Vec::new(), body: body.to_string().into_bytes() })
    };
    if path.ends_with("/_matrix/key/v2/server") {
        return respond(200, &keys(HOSTILE, now));
    }
    if !path.starts_with("/_matrix/federation/") {
        return respond(404, &json!({}));
    }
    log.borrow_mut().push(path.to_owned());
    let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    match answers(path, &body) {
        Some(answer) => respond(200, &answer),
        None => respond(404, &json!({"errcode": "M_NOT_FOUND", "error": "no"})),
    }
}

/// The keys that a server publishes.
pub(super) fn keys(server: &str, now: u64) -> Value {
    let key = key_of(server);
    let keys = json!({
        "server_name": server,
        "valid_until_ts": now + 1_000_000,
        "verify_keys": {"ed25519:1": {"key": STANDARD_NO_PAD.encode(key.public_key())}},
        "old_verify_keys": {},
    });
    let signed = sign_object(&keys.to_string(), <&ServerName>::try_from(server).unwrap(), &key).unwrap();
    serde_json::from_str(&signed).unwrap()
}

fn json_of(pdu: &Pdu) -> Value {
    serde_json::from_str(pdu.json()).unwrap()
}

#[test]
fn events_in_between_are_fetched_and_come_first() {
    let story = Story::new(|a, path, body| {
        assert!(path.contains("/get_missing_events/"), "{path}");
        let latest: Vec<_> = serde_json::from_value(body["latest_events"].clone()).unwrap();
        let earliest: Vec<_> = serde_json::from_value(body["earliest_events"].clone()).unwrap();
        let events = crate::room::graph::missing_events(&a.room.store, &earliest, &latest, 0, 20).unwrap();
        Some(json!({"events": events.iter().map(|event| json_of(&event.pdu)).collect::<Vec<_>>()}))
    });
    let early: Vec<_> = (0..5).map(|index| story.a.message("creator", &format!("early {index}"))).collect();
    let last = story.a.message("creator", "last");
    assert_eq!(story.send(&[&last]), [None]);
    assert!(early.iter().all(|event| story.is_here(event)));
    assert_eq!(story.b.log().last().map(|id| &**id), Some(last.event_id()));
    assert_eq!(story.count("/get_missing_events/"), 1);
    assert_eq!(story.b.extremities(), story.a.extremities());
}

#[test]
fn an_answer_with_a_forged_event_closes_no_gap() {
    let story = Story::new(|a, path, _| {
        assert!(path.contains("/get_missing_events/"), "{path}");
        let mut forged = json_of(&a.message("creator", "x"));
        forged["signatures"][HOSTILE]["ed25519:1"] = json!("AAAA");
        Some(json!({"events": [forged]}))
    });
    story.a.message("creator", "lost");
    let last = story.a.message("creator", "last");
    story.send(&[&last]);
    assert!(!story.is_here(&last));
    assert_eq!(story.asked.borrow().len(), 1, "state that is said to be behind the gap is not asked for");
}

#[test]
fn history_without_end_is_given_up() {
    let depth = Cell::new(0_u32);
    let story = Story::new(move |a, path, _| {
        if !path.contains("/get_missing_events/") {
            return None;
        }
        // Each answer is full, and names events that are not in it.
        let levels = a.pdu(&a.state()[&("m.room.power_levels".to_owned(), String::new())]);
        let events = (0..20).map(|_| {
            depth.set(depth.get() + 1);
            let content = json!({"body": depth.get()}).to_string();
            a.message("creator", "moves on");
            json_of(&a.forge("creator", "m.room.message", None, &content, &levels))
        });
        Some(json!({"events": events.collect::<Vec<_>>()}))
    });
    story.a.message("creator", "lost");
    let last = story.a.message("creator", "last");
    story.send(&[&last]);
    assert!(!story.is_here(&last));
    assert!(story.asked.borrow().len() < 100, "{} questions", story.asked.borrow().len());
    let own = story.b.message("bob", "the room goes on");
    assert!(story.is_here(&own));
}

#[test]
fn a_server_that_makes_many_ends_does_not_make_the_room_slow() {
    let story = Story::new(|_, _, _| None);
    let levels = story.a.pdu(&story.a.state()[&("m.room.power_levels".to_owned(), String::new())]);
    let creator = story.a.user("creator");
    for transaction in 0..6 {
        let forks: Vec<_> = (0..50)
            .map(|index| {
                let content = json!({"membership": "join", "displayname": format!("{transaction} {index}")});
                let (key, content) = (Some(creator.as_str()), content.to_string());
                story.a.forge("creator", "m.room.member", key, &content, &levels)
            })
            .collect();
        assert!(story.send(&forks.iter().collect::<Vec<_>>()).iter().all(Option::is_none));
        assert!(forks.iter().all(|fork| story.is_here(fork)));
        assert!(story.b.extremities().len() <= 50, "{}", story.b.extremities().len());
    }
    let own = story.b.message("bob", "the room goes on");
    assert!(story.is_here(&own));
}

#[test]
fn slow_answers_are_waited_for_for_a_while_only() {
    let world: Rc<RefCell<Weak<World>>> = Rc::default();
    let clock = Rc::clone(&world);
    let story = Story::new(move |_, _, _| {
        clock.borrow().upgrade().unwrap().advance(14_000);
        Some(json!({"events": []}))
    });
    world.replace(Rc::downgrade(&story.b.world));
    story.a.message("creator", "lost");
    let late: Vec<_> = (0..50).map(|index| story.a.message("creator", &format!("late {index}"))).collect();
    let begun = story.b.world.now();
    story.send(&late.iter().collect::<Vec<_>>());
    let spent = story.b.world.now() - begun;
    assert!(spent < 70_000, "{spent} ms");
    assert!(story.is_here(&story.b.message("bob", "the room goes on")));
}

#[test]
fn an_event_behind_a_gap_is_taken_in_with_the_state_before_it() {
    let story = Story::new(|a, path, _| {
        let event_id = |path: &str| path.split("event_id=").nth(1).map(|id| id.replace("%24", "$"));
        if path.contains("/get_missing_events/") {
            return Some(json!({"events": []}));
        }
        if path.contains("/state_ids/") {
            let id = OwnedEventId::try_from(event_id(path)?).ok()?;
            let (state, chain) = a.state_before(&id);
            let ids =
                |events: &[Pdu]| events.iter().map(|event| event.event_id().to_string()).collect::<Vec<_>>();
            return Some(json!({"pdu_ids": ids(&state), "auth_chain_ids": ids(&chain)}));
        }
        let id = path.strip_prefix("/_matrix/federation/v1/event/")?.replace("%24", "$");
        let id = OwnedEventId::try_from(id).ok()?;
        let event = a.room.store.find_event(&id).unwrap()?;
        Some(json!({"origin": HOSTILE, "origin_server_ts": 1, "pdus": [json_of(&event.pdu)]}))
    });
    let topic = story.a.state_event("creator", "m.room.topic", "", "{\"topic\":\"missed\"}");
    let last = story.a.message("creator", "last");
    assert_eq!(story.send(&[&last]), [None]);
    assert!(story.is_here(&last));
    assert_eq!(
        story.b.state().get(&("m.room.topic".to_owned(), String::new())).map(|id| &**id),
        Some(topic.event_id())
    );
}

#[test]
fn a_server_that_the_room_bans_is_not_heard() {
    let story = Story::new(|_, _, _| None);
    let levels = "{\"users\":{\"@bob:selvedge.test\":100,\"@creator:a.test\":100}}";
    story.b.receive(&story.a.state_event("creator", "m.room.power_levels", "", levels));
    let list = "{\"allow\":[\"*\"],\"deny\":[\"a.test\"],\"allow_ip_literals\":true}";
    story.b.state_event("bob", "m.room.server_acl", "", list);
    let late = story.a.message("creator", "late");
    assert!(story.send(&[&late])[0].is_some());
    assert!(!story.is_here(&late));
}

#[test]
fn a_room_that_nobody_here_is_in_takes_nothing() {
    let story = Story::new(|_, _, _| None);
    story.b.state_event("bob", "m.room.member", "@bob:selvedge.test", &member("leave"));
    let late = story.a.message("creator", "late");
    assert!(story.send(&[&late])[0].is_some());
    assert!(story.asked.borrow().is_empty());
}
