//! The outbound queue under a server that fails and a process that stops; and what comes in.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use ruma::OwnedServerName;
use serde_json::{Value, json, value::RawValue};

use crate::{
    matrix_error::MatrixError,
    platform::{ActorKind, ActorName, FetchError, OutboundRequest, OutboundResponse},
    rpc::{
        self,
        remote_server::{InboundEdu, Keep, OutboundEdu, ReceiveTransaction, SendEdus, SendPdus},
    },
    testing::World,
};

/// What the other server does with a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    /// It takes it in, and the answer is lost.
    TakesSilently,
    IsAway,
}

/// Another server, and this one's actor for it.
struct Story {
    world: Rc<World>,
    mood: Rc<Cell<Mood>>,
    /// Transactions that arrived: id and body.
    arrived: Rc<RefCell<Vec<(String, Value)>>>,
    attempts: Rc<Cell<usize>>,
}

fn peer() -> OwnedServerName {
    OwnedServerName::try_from("b.test").unwrap()
}

fn raw(json: &Value) -> Box<RawValue> {
    RawValue::from_string(json.to_string()).unwrap()
}

impl Story {
    fn new() -> Self {
        let story = Self {
            world: World::new(),
            mood: Rc::new(Cell::new(Mood::Takes)),
            arrived: Rc::default(),
            attempts: Rc::default(),
        };
        let (mood, arrived) = (Rc::clone(&story.mood), Rc::clone(&story.arrived));
        let attempts = Rc::clone(&story.attempts);
        story.world.connect(move |request| answer(&request, mood.get(), &arrived, &attempts));
        story
    }

    fn pdus(range: std::ops::Range<u32>) -> SendPdus {
        SendPdus { pdus: range.map(|number| raw(&json!({ "number": number }))).collect() }
    }

    fn edu(name: &str, keep: Keep) -> SendEdus {
        let content = raw(&json!({ "name": name }));
        SendEdus { edus: vec![OutboundEdu { edu_type: "m.test".to_owned(), content, keep }] }
    }

    fn send_pdus(&self, range: std::ops::Range<u32>) {
        self.world.call(&peer(), &Self::pdus(range)).unwrap();
    }

    fn send_edu(&self, name: &str, keep: Keep) {
        self.world.call(&peer(), &Self::edu(name, keep)).unwrap();
    }

    /// The process stops in the middle of a command's work, and another goes on.
    fn stop_after<T>(&self, begun: impl Future<Output = Result<T, MatrixError>>) {
        let _ = self.world.block_on(begun);
        self.world.restart();
    }

    /// Rings alarms until none is set, or `most` have rung.
    fn ring(&self, most: usize) {
        for _ in 0..most {
            if self.world.ring_next_alarm().is_none() {
                return;
            }
        }
    }

    /// The numbers of the PDUs that arrived, in order; those of a repeated transaction once.
    fn numbers(&self) -> Vec<u64> {
        let mut seen = BTreeMap::new();
        let mut numbers = Vec::new();
        for (id, body) in self.arrived.borrow().iter() {
            if let Some(before) = seen.insert(id.clone(), body.clone()) {
                assert_eq!(before, *body, "a transaction id stands for one content");
                continue;
            }
            let pdus = body["pdus"].as_array().into_iter().flatten();
            numbers.extend(pdus.map(|pdu| pdu["number"].as_u64().unwrap()));
        }
        numbers
    }

    fn edus(&self) -> Vec<String> {
        let arrived = self.arrived.borrow();
        let edus = arrived.iter().flat_map(|(_, body)| body["edus"].as_array().cloned().unwrap_or_default());
        edus.map(|edu| edu["content"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn answer(
    request: &OutboundRequest,
    mood: Mood,
    arrived: &RefCell<Vec<(String, Value)>>,
    attempts: &Cell<usize>,
) -> Result<OutboundResponse, FetchError> {
    let respond = |status| {
        let body = json!({ "pdus": {} }).to_string().into_bytes();
        Ok(OutboundResponse { status, headers: Vec::new(), body })
    };
    let Some((_, id)) = request.url.split_once("/_matrix/federation/v1/send/") else { return respond(404) };
    attempts.set(attempts.get() + 1);
    if mood == Mood::IsAway {
        return Err(FetchError::Failed("no route".to_owned()));
    }
    arrived.borrow_mut().push((id.to_owned(), serde_json::from_slice(&request.body).unwrap()));
    if mood == Mood::TakesSilently { Err(FetchError::TimedOut) } else { respond(200) }
}

#[test]
fn what_is_owed_is_sent_at_once_and_once() {
    let story = Story::new();
    story.send_pdus(0..3);
    assert_eq!(story.numbers(), [0, 1, 2]);
    story.ring(10);
    assert_eq!(story.attempts.get(), 1);
    assert!(story.world.alarm_of(&actor()).is_none(), "an idle queue sets no alarms");
}

fn actor() -> ActorName {
    ActorName { kind: ActorKind::RemoteServer, name: "b.test".to_owned() }
}

#[test]
fn what_was_not_sent_when_the_process_stopped_is_sent_by_the_next() {
    let story = Story::new();
    let platform = story.world.platform();
    story.stop_after(rpc::call(platform.as_ref(), &peer(), &Story::pdus(0..2)));
    assert_eq!(story.attempts.get(), 0);
    story.ring(10);
    assert_eq!(story.numbers(), [0, 1]);
}

#[test]
fn a_lost_answer_is_followed_by_the_same_transaction_also_after_a_stop() {
    let story = Story::new();
    story.mood.set(Mood::TakesSilently);
    story.send_pdus(0..2);
    story.world.restart();
    story.send_pdus(2..4);
    story.mood.set(Mood::Takes);
    story.ring(10);
    assert_eq!(story.numbers(), [0, 1, 2, 3]);
    let ids: BTreeSet<_> = story.arrived.borrow().iter().map(|(id, _)| id.clone()).collect();
    assert_eq!((ids.len(), story.arrived.borrow().len()), (2, 3));
}

#[test]
fn nothing_is_lost_or_doubled_whenever_the_process_stops() {
    for stops in 0..32_u32 {
        let story = Story::new();
        for step in 0..5 {
            story.mood.set(if (stops >> step) & 1 == 0 { Mood::Takes } else { Mood::TakesSilently });
            story.send_pdus(step * 3..step * 3 + 3);
            if (stops >> (4 - step)) & 1 == 1 {
                story.world.restart();
            }
        }
        story.mood.set(Mood::Takes);
        story.ring(40);
        assert_eq!(story.numbers(), (0..15).collect::<Vec<_>>(), "{stops:b}");
    }
}

#[test]
fn a_transaction_has_at_most_50_pdus_and_100_edus() {
    let story = Story::new();
    story.mood.set(Mood::IsAway);
    story.send_pdus(0..120);
    for number in 0..230 {
        story.send_edu(&number.to_string(), Keep::Durable);
    }
    story.mood.set(Mood::Takes);
    story.ring(100);
    assert_eq!(story.numbers().len(), 120);
    assert_eq!(story.edus().len(), 230);
    for (_, body) in story.arrived.borrow().iter() {
        let count = |name: &str| body[name].as_array().map_or(0, Vec::len);
        assert!(count("pdus") <= 50 && count("edus") <= 100);
    }
}

#[test]
fn a_server_that_is_away_is_tried_less_and_less_often() {
    let story = Story::new();
    story.mood.set(Mood::IsAway);
    story.send_pdus(0..1);
    let mut waits = Vec::new();
    for _ in 0..20 {
        let before = story.world.now();
        assert_eq!(story.world.ring_next_alarm(), Some(actor()));
        waits.push(story.world.now() - before);
    }
    for (index, wait) in waits.iter().enumerate() {
        let expected = (1_000_u64 << index).min(3_600_000);
        assert!(wait.abs_diff(expected) <= expected / 4, "{index}: {wait} for {expected}");
    }
    assert_eq!(story.attempts.get(), 21);
}

#[test]
fn while_a_server_is_away_news_cause_no_attempts() {
    let story = Story::new();
    story.mood.set(Mood::IsAway);
    story.send_pdus(0..1);
    for number in 1..50 {
        story.send_pdus(number..number + 1);
        story.send_edu("latest", Keep::Latest("state".to_owned()));
    }
    assert_eq!(story.attempts.get(), 1);
    story.mood.set(Mood::Takes);
    story.ring(5);
    assert_eq!(story.numbers().len(), 50);
    assert_eq!(story.edus(), ["latest"]);
}

#[test]
fn what_is_worthless_later_is_not_kept_for_a_server_that_is_away() {
    let story = Story::new();
    story.send_edu("now", Keep::Volatile);
    story.mood.set(Mood::IsAway);
    story.send_pdus(0..1);
    story.send_edu("never", Keep::Volatile);
    story.mood.set(Mood::Takes);
    story.ring(5);
    assert_eq!(story.edus(), ["now"]);
}

fn transaction(id: &str) -> ReceiveTransaction {
    let content = raw(&json!({ "push": [] }));
    let edus = vec![InboundEdu { edu_type: "m.presence".to_owned(), content }];
    ReceiveTransaction { txn_id: id.to_owned(), pdus: Vec::new(), edus }
}

#[test]
fn a_server_that_is_heard_of_is_tried_at_once() {
    let story = Story::new();
    story.mood.set(Mood::IsAway);
    story.send_pdus(0..1);
    story.ring(15);
    story.mood.set(Mood::Takes);
    story.world.call(&peer(), &transaction("here again")).unwrap();
    assert_eq!(story.numbers(), [0]);
}
