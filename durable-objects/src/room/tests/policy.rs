//! Rooms that let a policy server judge their events.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{OwnedEventId, OwnedServerName, RoomVersionId, signatures::KeyPair as _};
use selvedge_protocol::{
    event::{Pdu, VerifiedPdu, signatures_of, signed_bytes},
    policy_server::POLICY_KEY_ID,
};
use serde_json::{Value, json, value::to_raw_value};

use super::peer::{Peer, member};
use crate::{
    matrix_error::MatrixError,
    platform::{FetchError, OutboundRequest, OutboundResponse},
    room::{commit::CommitError, store::Standing},
    rpc::room::{AcceptMembership, CheckedEvent, DraftInvitation, ReceivePdus, SendMessage, WantedAnswer},
    signing::key_pair,
    testing::SERVER_NAME,
};

const POLICY: &str = "p.test";

/// What the policy server does when it is asked.
#[derive(Clone)]
enum Mood {
    /// Signs, by the key of this seed.
    Signs(u8),
    Refuses(u16, Value),
    IsSilent,
}

/// Server A made the room; server P, in it too, is its policy server; server B is the one under test.
struct Story {
    a: Peer,
    p: Peer,
    b: Rc<Peer>,
    mood: Rc<RefCell<Mood>>,
    /// What the policy server was asked to sign.
    asked: Rc<RefCell<Vec<Value>>>,
    /// What happens while it is asked.
    meanwhile: Rc<RefCell<Option<Pdu>>>,
    next_txn: Cell<u32>,
}

fn policy_content(seed: u8) -> String {
    let key = key_pair(&[seed; 32], "policy_server".to_owned()).unwrap();
    let key = STANDARD_NO_PAD.encode(key.public_key());
    json!({"via": POLICY, "public_keys": {"ed25519": key}}).to_string()
}

impl Story {
    /// A room without a policy.
    fn unguarded() -> Self {
        let a = Peer::creating("a.test", &RoomVersionId::V11);
        let b = Rc::new(a.joined_by(SERVER_NAME, "bob"));
        let p = a.joined_by(POLICY, "guard");
        b.receive(&a.pdu(&a.extremities()[0]));
        let story = Self {
            a,
            p,
            b,
            mood: Rc::new(RefCell::new(Mood::Signs(1))),
            asked: Rc::default(),
            meanwhile: Rc::default(),
            next_txn: Cell::default(),
        };
        let (b, mood) = (Rc::downgrade(&story.b), Rc::clone(&story.mood));
        let (asked, meanwhile) = (Rc::clone(&story.asked), Rc::clone(&story.meanwhile));
        story.b.world.connect(move |request| {
            if !request.url.starts_with("https://p.test:8448/_matrix/policy/v1/sign") {
                return Err(FetchError::Failed("nobody is there".to_owned()));
            }
            let b = b.upgrade().unwrap();
            asked.borrow_mut().push(serde_json::from_slice(&request.body).unwrap());
            if let Some(pdu) = meanwhile.take() {
                b.receive(&pdu);
            }
            judge(&b, &mood.borrow(), &request)
        });
        story
    }

    /// A room with a policy that both servers know.
    fn new() -> Self {
        let story = Self::unguarded();
        story.set_policy(&policy_content(1));
        story
    }

    fn set_policy(&self, content: &str) {
        let policy = self.a.state_event("creator", "m.room.policy", "", content);
        self.b.receive(&policy);
    }

    fn say(&self, body: &str) -> Result<Pdu, MatrixError> {
        let txn_id = self.next_txn.replace(self.next_txn.get() + 1).to_string();
        self.say_as(body, txn_id)
    }

    fn say_as(&self, body: &str, txn_id: String) -> Result<Pdu, MatrixError> {
        let command = SendMessage {
            sender: self.b.user("bob"),
            device_id: "D".into(),
            txn_id,
            event_type: "m.room.message".to_owned(),
            content: to_raw_value(&json!({ "body": body })).unwrap(),
            timestamp: None,
        };
        let id = self.b.world.block_on(self.b.room.send_message(command))?;
        Ok(self.b.pdu(&id))
    }

    /// A message of A that A did not have signed.
    fn unsigned(&self, body: &str) -> Pdu {
        let levels = ("m.room.power_levels".to_owned(), String::new());
        let levels = self.b.pdu(&self.b.state()[&levels]);
        let content = json!({ "body": body }).to_string();
        self.a.forge_in(&self.b, "creator", "m.room.message", None, &content, &levels)
    }

    fn receive(&self, pdus: &[&Pdu]) -> Vec<Option<String>> {
        let checked =
            |pdu: &&Pdu| CheckedEvent::new(VerifiedPdu::vouched_for((*pdu).clone(), false)).unwrap();
        let origin = OwnedServerName::try_from("a.test").unwrap();
        let command = ReceivePdus { origin, pdus: pdus.iter().map(checked).collect() };
        self.b.world.block_on(self.b.room.receive_pdus(command)).unwrap()
    }

    fn is(&self, mood: Mood) {
        self.mood.replace(mood);
    }

    fn asked(&self) -> usize {
        self.asked.borrow().len()
    }

    fn standing(&self, pdu: &Pdu) -> Option<Standing> {
        self.b.standing(&pdu.event_id().to_owned())
    }

    /// Whether B has the event with a signature by the policy server's key.
    fn is_recommended(&self, id: &OwnedEventId) -> bool {
        signatures_of(&self.b.pdu(id), POLICY.try_into().unwrap())
            .iter()
            .any(|signature| signature.key_id.as_str() == POLICY_KEY_ID)
    }
}

fn judge(b: &Peer, mood: &Mood, request: &OutboundRequest) -> Result<OutboundResponse, FetchError> {
    let (status, body) = match mood {
        Mood::Signs(seed) => {
            let event = Pdu::parse(std::str::from_utf8(&request.body).unwrap(), &b.rules).unwrap();
            let key = key_pair(&[*seed; 32], "policy_server".to_owned()).unwrap();
            let signature = key.sign(signed_bytes(&event, &b.rules.redaction).as_bytes()).base64();
            (200, json!({POLICY: {POLICY_KEY_ID: signature}}))
        }
        Mood::Refuses(status, body) => (*status, body.clone()),
        Mood::IsSilent => return Err(FetchError::TimedOut),
    };
    Ok(OutboundResponse { status, headers: Vec::new(), body: body.to_string().into_bytes() })
}

#[test]
fn own_events_are_sent_with_the_policy_servers_signature() {
    let story = Story::new();
    let sent = story.say("hello").unwrap();
    assert_eq!(story.asked(), 1);
    assert_eq!(story.asked.borrow()[0]["content"]["body"], "hello");
    assert!(story.is_recommended(&sent.event_id().to_owned()));
    assert_eq!(signatures_of(&sent, SERVER_NAME.try_into().unwrap()).len(), 1);
    assert_eq!(story.b.extremities(), [sent.event_id()]);
    // A server that gets it need not ask.
    assert!(matches!(story.a.receive(&sent), crate::room::commit::Received::Accepted(_)));
}

#[test]
fn a_transaction_is_judged_once() {
    let story = Story::new();
    let first = story.say_as("hello", "same".to_owned()).unwrap();
    let second = story.say_as("hello", "same".to_owned()).unwrap();
    assert_eq!((first.event_id(), story.asked()), (second.event_id(), 1));
}

#[test]
fn a_refusal_reaches_the_client_as_it_is_and_nothing_else_happens() {
    let story = Story::new();
    let log = story.b.log();
    let body = json!({"errcode": "M_FORBIDDEN", "error": "This looks like spam", "org.p.score": 7});
    story.is(Mood::Refuses(400, body.clone()));
    let error = story.say("buy this").unwrap_err();
    assert_eq!((error.status, error.body()), (400, body));
    let body = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Slowly", "retry_after_ms": 500});
    story.is(Mood::Refuses(429, body.clone()));
    let error = story.say("buy this").unwrap_err();
    assert_eq!((error.status, error.body()), (429, body));
    assert_eq!(story.b.log(), log);
    story.is(Mood::Signs(1));
    story.say("sorry").unwrap();
}

#[test]
fn a_policy_server_cannot_log_users_out() {
    let story = Story::new();
    story.is(Mood::Refuses(403, json!({"errcode": "M_UNKNOWN_TOKEN", "error": "x", "soft_logout": false})));
    let error = story.say("hello").unwrap_err();
    assert_eq!((error.status, &*error.code), (502, "M_UNKNOWN"));
    assert!(error.extra.is_empty());
}

#[test]
fn an_event_without_a_signature_that_counts_is_not_sent() {
    let story = Story::new();
    let log = story.b.log();
    let malformed = [json!({}), json!({POLICY: {}}), json!({POLICY: {POLICY_KEY_ID: "&"}}), json!([])];
    let answers = malformed.into_iter().map(|body| Mood::Refuses(200, body));
    for mood in answers.chain([Mood::Signs(2), Mood::IsSilent]) {
        story.is(mood);
        assert_eq!(story.say("hello").unwrap_err().status, 502);
    }
    assert_eq!(story.b.log(), log);
}

#[test]
fn the_room_asks_nobody_without_a_valid_policy_of_a_server_that_takes_part() {
    let story = Story::unguarded();
    for content in [
        json!({}).to_string(),
        json!({"via": POLICY}).to_string(),
        policy_content(1).replace(POLICY, "elsewhere.test"),
    ] {
        story.set_policy(&content);
        story.say("hello").unwrap();
        story.receive(&[&story.unsigned("hello too")]);
    }
    assert_eq!(story.asked(), 0);
}

#[test]
fn the_policy_server_is_free_when_its_last_user_has_left() {
    let story = Story::new();
    let guard = format!("@guard:{POLICY}");
    let leave = story.p.state_event("guard", "m.room.member", &guard, &member("leave"));
    assert_eq!(story.receive(&[&leave]), [None]);
    assert_eq!(story.standing(&leave), Some(Standing::Accepted));
    assert_eq!(story.asked(), 1);
    story.say("free").unwrap();
    assert_eq!(story.asked(), 1);
}

#[test]
fn the_policy_can_be_changed_without_its_word() {
    let story = Story::new();
    story.is(Mood::IsSilent);
    story.set_policy("{}");
    story.say("free").unwrap();
    assert_eq!(story.asked(), 0);
}

#[test]
fn what_another_server_had_signed_is_taken_in_without_a_question() {
    let story = Story::new();
    let message = story.unsigned("hello");
    let key = key_pair(&[1; 32], "policy_server".to_owned()).unwrap();
    let signature = key.sign(signed_bytes(&message, &story.b.rules.redaction).as_bytes());
    let signed =
        message.with_signature(POLICY.try_into().unwrap(), POLICY_KEY_ID, signature.as_bytes()).unwrap();
    assert_eq!(story.receive(&[&signed]), [None]);
    assert_eq!((story.standing(&signed), story.asked()), (Some(Standing::Accepted), 0));
}

#[test]
fn what_another_server_sent_unsigned_is_asked_about() {
    let story = Story::new();
    let message = story.unsigned("hello");
    assert_eq!(story.receive(&[&message]), [None]);
    assert_eq!((story.standing(&message), story.asked()), (Some(Standing::Accepted), 1));
    assert!(story.is_recommended(&message.event_id().to_owned()));
}

#[test]
fn what_another_server_sent_and_the_policy_server_refuses_is_soft_failed() {
    let story = Story::new();
    story.is(Mood::Refuses(400, json!({"errcode": "M_FORBIDDEN", "error": "spam"})));
    let spam = story.unsigned("spam");
    assert_eq!(story.receive(&[&spam]), [None]);
    assert_eq!(story.standing(&spam), Some(Standing::SoftFailed));
    assert!(!story.b.log().contains(&spam.event_id().to_owned()));
    let why = story.b.room.store.find_event(spam.event_id()).unwrap().unwrap();
    assert!(why.rejection.as_deref().unwrap().contains("spam"), "{:?}", why.rejection);
    story.is(Mood::Signs(1));
    let sent = story.say("hello").unwrap();
    assert!(!sent.prev_events().contains(&spam.event_id().to_owned()));
}

#[test]
fn what_the_rules_forbid_is_rejected_without_a_question() {
    let story = Story::new();
    let levels = ("m.room.power_levels".to_owned(), String::new());
    let levels = story.b.pdu(&story.b.state()[&levels]);
    let forged = story.a.forge_in(&story.b, "stranger", "m.room.message", None, "{}", &levels);
    assert!(story.receive(&[&forged])[0].is_some());
    assert_eq!((story.standing(&forged), story.asked()), (Some(Standing::Rejected), 0));
}

#[test]
fn a_silent_policy_server_is_waited_for_once_a_transaction() {
    let story = Story::new();
    story.is(Mood::IsSilent);
    let messages: Vec<_> = (0..5).map(|index| story.unsigned(&format!("{index}"))).collect();
    story.receive(&messages.iter().collect::<Vec<_>>());
    assert_eq!(story.asked(), 1);
    assert!(messages.iter().all(|message| story.standing(message) == Some(Standing::SoftFailed)));
}

#[test]
fn a_policy_that_changes_while_it_is_asked_is_asked_anew() {
    let story = Story::new();
    let rotated = story.a.state_event("creator", "m.room.policy", "", &policy_content(2));
    *story.meanwhile.borrow_mut() = Some(rotated);
    // The first answer is by the key that is no more.
    let sent = story.say("hello");
    assert_eq!(sent.unwrap_err().status, 502);
    assert_eq!(story.asked(), 2);
    story.is(Mood::Signs(2));
    story.say("hello").unwrap();
}

#[test]
fn a_join_through_this_server_is_judged_before_it_is_in_the_room() {
    let story = Story::new();
    let c = Peer::joining("c.test", &story.a);
    let accept = |name: &str| {
        let join = story.b.make_join(&c, name);
        let command = AcceptMembership {
            server: c.server.clone(),
            event: CheckedEvent::new(story.b.verified(&join)).unwrap(),
            answer: WantedAnswer::State { omit_members: false },
        };
        (join, story.b.world.block_on(story.b.room.accept_membership(command)))
    };
    let (join, answer) = accept("carol");
    let event = Pdu::parse(answer.unwrap().event.unwrap().get(), &c.rules).unwrap();
    assert_eq!(event.event_id(), join.event_id());
    assert_eq!(signatures_of(&event, POLICY.try_into().unwrap()).len(), 1);
    story.is(Mood::Refuses(400, json!({"errcode": "M_FORBIDDEN", "error": "Not you"})));
    let (join, answer) = accept("mallory");
    assert_eq!(answer.unwrap_err().message, "Not you");
    assert_eq!(story.standing(&join), None);
}

#[test]
fn an_invitation_is_judged_before_it_leaves_this_server() {
    let story = Story::unguarded();
    let levels = json!({"invite": 0, "users": {"@creator:a.test": 100}}).to_string();
    story.b.receive(&story.a.state_event("creator", "m.room.power_levels", "", &levels));
    story.set_policy(&policy_content(1));
    let draft = || {
        let command = DraftInvitation {
            sender: story.b.user("bob"),
            target: "@dora:d.test".try_into().unwrap(),
            content: serde_json::Map::new(),
        };
        story.b.world.block_on(story.b.room.draft_invitation(command))
    };
    let drafted = draft().unwrap();
    let event = Pdu::parse(drafted.event.get(), &story.b.rules).unwrap();
    assert_eq!(signatures_of(&event, POLICY.try_into().unwrap()).len(), 1);
    story.is(Mood::Refuses(400, json!({"errcode": "M_FORBIDDEN", "error": "No more"})));
    assert_eq!(draft().unwrap_err().message, "No more");
}

#[test]
fn the_commit_lets_nothing_by_that_was_not_judged() {
    let story = Story::new();
    let message = crate::room::commit::NewEvent::message(story.b.user("bob"), "m.room.message", "{}", None);
    assert!(matches!(story.b.commit(message), Err(CommitError::Unrecommended(_))));
}
