//! The rules against ruma's, over random states and events.
//!
//! ruma decides otherwise, and so the generator leaves out:
//! - a room without `m.room.join_rules`, where ruma refuses every join and knock and other servers take `invite`;
//! - `third_party_invite: null`, which ruma takes for none;
//! - floats as power levels before room version 6, which ruma's canonical JSON cannot hold;
//! - power levels that could not have come into the state, of which ruma reads more than the entry that it needs;
//! - an unknown `room_version`, which ruma leaves to its caller.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use proptest::{prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UserId,
    events::{StateEventType, TimelineEventType},
    server_name,
    signatures::Ed25519KeyPair,
    state_res,
};
use serde_json::value::RawValue;

use super::*;
use crate::signing::{key_pair, sign_object};

pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

static KEY: LazyLock<Ed25519KeyPair> = LazyLock::new(|| key_pair(&[1; 32], "0".to_owned()).unwrap());
static PUBLIC_KEY: LazyLock<String> = LazyLock::new(|| base64(&KEY.public_key()));

/// An event as ruma wants to see it.
#[derive(Debug, Clone)]
struct Theirs {
    pdu: Rc<Pdu>,
    id: OwnedEventId,
    event_type: TimelineEventType,
    redacts: Option<OwnedEventId>,
    rejected: bool,
}

impl Theirs {
    fn new(pdu: &Rc<Pdu>, rejected: bool) -> Self {
        let redacts = pdu.redacts(&RoomVersionId::V1.rules().unwrap().redaction);
        let event_type = pdu.event_type().into();
        Self { id: pdu.event_id().to_owned(), pdu: Rc::clone(pdu), event_type, redacts, rejected }
    }
}

impl state_res::Event for Theirs {
    type Id = OwnedEventId;

    fn event_id(&self) -> &OwnedEventId {
        &self.id
    }
    fn room_id(&self) -> Option<&RoomId> {
        let named = self.pdu.event_type() != "m.room.create" || self.pdu.object().get("room_id").is_some();
        named.then(|| self.pdu.room_id())
    }
    fn sender(&self) -> &UserId {
        self.pdu.sender()
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        self.pdu.origin_server_ts()
    }
    fn event_type(&self) -> &TimelineEventType {
        &self.event_type
    }
    fn content(&self) -> &RawValue {
        self.pdu.content()
    }
    fn state_key(&self) -> Option<&str> {
        self.pdu.state_key()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.pdu.prev_events().iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &OwnedEventId> + '_> {
        Box::new(self.pdu.auth_events().iter())
    }
    fn redacts(&self) -> Option<&OwnedEventId> {
        self.redacts.as_ref()
    }
    fn rejected(&self) -> bool {
        self.rejected
    }
}

fn user() -> impl Strategy<Value = &'static str> {
    select(vec![CREATOR, MODERATOR, USER, OTHER, NOBODY])
}

fn membership() -> impl Strategy<Value = JsonValue> {
    prop_oneof![
        12 => select(vec!["join", "join", "join", "join", "join", "join", "invite", "leave", "ban", "knock"]).prop_map(JsonValue::from),
        1 => Just(json!("dance")),
        1 => Just(json!(1)),
    ]
}

/// A membership in the room's state: `join` for the most part.
fn standing() -> impl Strategy<Value = JsonValue> {
    prop_oneof![5 => Just(json!("join")), 2 => membership()]
}

/// A level that may stand in a room's state.
fn good_level(strings: bool) -> BoxedStrategy<JsonValue> {
    let numbers = select(vec![-1, 0, 1, 49, 50, 51, 100]);
    if strings {
        let padded = numbers.clone().prop_map(|number| json!(format!(" {number:+04}")));
        prop_oneof![3 => numbers.prop_map(JsonValue::from), 1 => padded].boxed()
    } else {
        numbers.prop_map(JsonValue::from).boxed()
    }
}

/// A level that may stand in an event.
fn any_level() -> BoxedStrategy<JsonValue> {
    prop_oneof![
        20 => good_level(false),
        2 => good_level(true),
        1 => select(vec![json!(null), json!("x"), json!([]), json!("1.5"), json!(true)]),
    ]
    .boxed()
}

fn levels(level: &BoxedStrategy<JsonValue>, creator: bool) -> impl Strategy<Value = JsonValue> + use<> {
    let keys = prop::sample::subsequence(Level::ALL.map(Level::name).to_vec(), 0..=7);
    let users = if creator { vec![CREATOR, MODERATOR, USER, OTHER] } else { vec![MODERATOR, USER, OTHER] };
    let map = |names: Vec<&'static str>| {
        let most = names.len();
        let level = level.clone();
        prop::sample::subsequence(names, 0..=most).prop_flat_map(move |names| {
            let count = names.len();
            prop::collection::vec(level.clone(), count).prop_map(move |levels| {
                JsonValue::from(
                    names
                        .iter()
                        .map(|name| (*name).to_owned())
                        .zip(levels)
                        .collect::<serde_json::Map<_, _>>(),
                )
            })
        })
    };
    let events = map(vec!["m.room.power_levels", "m.room.name", "m.room.message", "m.room.redaction"]);
    let (users, notifications) = (map(users), map(vec!["room", "x"]));
    let level = level.clone();
    (keys, users, events, notifications).prop_flat_map(move |(keys, users, events, notifications)| {
        prop::collection::vec(level.clone(), keys.len()).prop_map(move |levels| {
            let mut content = json!({});
            for (key, level) in keys.iter().zip(levels) {
                content[*key] = level;
            }
            content["users"] = users.clone();
            content["events"] = events.clone();
            content["notifications"] = notifications.clone();
            content
        })
    })
}

fn room(version: RoomVersionId) -> impl Strategy<Value = Room> {
    let rules = version.rules().unwrap().authorization;
    let creator_named = !rules.explicitly_privilege_room_creators;
    let levels = prop::option::weighted(0.9, levels(&good_level(!rules.integer_power_levels), creator_named));
    let join_rule = select(vec!["invite", "public", "knock", "restricted", "knock_restricted", "private"]);
    let federate = prop_oneof![
        40 => select(vec![json!(true), json!(null)]),
        4 => Just(json!(false)),
        1 => Just(json!(1)),
    ];
    let members = prop::collection::vec(prop::option::weighted(0.9, standing()), 5);
    (levels, join_rule, federate, members, any::<bool>()).prop_map(
        move |(levels, join_rule, federate, members, additional)| {
            let mut room = Room { state: BTreeMap::new(), ..Room::new(&version) };
            let mut create = json!({ "creator": CREATOR, "m.federate": federate });
            if additional {
                create["additional_creators"] = json!([OTHER]);
            }
            room.set("m.room.create", "", CREATOR, &create);
            room.set("m.room.join_rules", "", CREATOR, &json!({ "join_rule": join_rule }));
            if let Some(levels) = levels {
                room.set("m.room.power_levels", "", CREATOR, &levels);
            }
            for (user, membership) in [CREATOR, MODERATOR, USER, OTHER, NOBODY].into_iter().zip(members) {
                if let Some(membership) = membership {
                    room.set("m.room.member", user, user, &json!({ "membership": membership }));
                }
            }
            let public_key = json!({ "public_keys": [{ "public_key": *PUBLIC_KEY }] });
            room.set("m.room.third_party_invite", "token", USER, &public_key);
            room
        },
    )
}

fn member_content() -> impl Strategy<Value = JsonValue> {
    let authorising =
        select(vec![json!(null), json!(null), json!(MODERATOR), json!(USER), json!("x"), json!(1)]);
    let third_party = prop::option::weighted(0.2, (user(), select(vec!["token", "other"]), any::<bool>()));
    (membership(), authorising, third_party).prop_map(|(membership, authorising, third_party)| {
        let mut content = json!({ "membership": membership });
        if !authorising.is_null() {
            content["join_authorised_via_users_server"] = authorising;
        }
        if let Some((mxid, token, sign)) = third_party {
            let mut signed = json!({ "mxid": mxid, "token": token, "signatures": {} }).to_string();
            if sign {
                signed = sign_object(&signed, server_name!("id"), &*KEY).unwrap();
            }
            content["third_party_invite"] =
                json!({ "signed": serde_json::from_str::<JsonValue>(&signed).unwrap() });
        }
        content
    })
}

/// The parts of an event: type, state key and content.
fn event() -> impl Strategy<Value = (&'static str, Option<String>, JsonValue)> {
    let key = prop_oneof![3 => Just(Some(String::new())), 1 => Just(None), 2 => user().prop_map(|u| Some(u.to_owned()))];
    let plain = select(vec![
        "m.room.message",
        "m.room.name",
        "m.room.aliases",
        "m.room.third_party_invite",
        "m.room.redaction",
        "m.room.join_rules",
        "m.room.create",
    ]);
    let target = prop_oneof![9 => user().prop_map(|u| Some(u.to_owned())), 1 => select(vec![None, Some("x".to_owned())])];
    prop_oneof![
        4 => (target, member_content()).prop_map(|(target, content)| ("m.room.member", target, content)),
        4 => levels(&any_level(), true).prop_map(|content| ("m.room.power_levels", Some(String::new()), content)),
        3 => (plain, key).prop_map(|(event_type, key)| (event_type, key.or_else(|| (event_type == "m.room.aliases").then(|| "a".to_owned())), json!({ "creator": CREATOR }))),
    ]
}

/// A room and an event for it.
fn case() -> impl Strategy<Value = (Room, Rc<Pdu>)> {
    let prev = select(vec![json!(["$prev:a"]), json!(["$create:a"]), json!([])]);
    let redacts = select(vec!["$x:a", "$x:b"]);
    (select(SUPPORTED.to_vec()).prop_flat_map(room), event(), user(), prev, redacts, any::<bool>()).prop_map(
        |(room, (event_type, mut state_key, content), sender, prev, redacts, of_sender)| {
            if event_type == "m.room.member" && of_sender {
                state_key = Some(sender.to_owned());
            }
            let mut parts = room.parts(event_type, sender, &content);
            parts["prev_events"] = prev;
            parts["event_id"] = "$event:a".into();
            parts["redacts"] = redacts.into();
            if let Some(state_key) = state_key {
                parts["state_key"] = state_key.into();
            }
            (room, Rc::new(pdu(&parts)))
        },
    )
}

fn theirs_dependent(room: &Room, event: &Rc<Pdu>) -> Result<(), String> {
    state_res::check_state_dependent_auth_rules(
        &room.rules.authorization,
        Theirs::new(event, false),
        |event_type: &StateEventType, state_key: &str| {
            let key = (event_type.to_string(), state_key.to_owned());
            room.state.get(&key).map(|event| Theirs::new(event, false))
        },
    )
}

fn theirs_independent(room: &Room, event: &Rc<Pdu>, known: &[(Rc<Pdu>, bool)]) -> Result<(), String> {
    state_res::check_state_independent_auth_rules(
        &room.rules.authorization,
        Theirs::new(event, false),
        |id: &EventId| {
            known
                .iter()
                .find(|(event, _)| event.event_id() == id)
                .map(|(event, rejected)| Theirs::new(event, *rejected))
        },
    )
}

/// Some thousand, or as many as `PROPTEST_CASES` asks for.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(3_000), ..config }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn rules_that_depend_on_state_decide_as_ruma_does((room, event) in case()) {
        let ours = room.check(&event);
        let theirs = theirs_dependent(&room, &event);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?} {}", ours, theirs, event.json());
    }

    #[test]
    fn rules_that_do_not_depend_on_state_decide_as_ruma_does(
        (room, event) in case(),
        picks in prop::collection::vec(any::<bool>(), 16),
        reject in prop::option::weighted(0.1, 0..16_usize),
        selected in any::<bool>(),
    ) {
        let rules = &room.rules.authorization;
        let types = auth_types_for_event(
            rules, event.event_type(), event.sender(), event.state_key(), event.content_object(),
        );
        // Either what the event would select, or anything.
        let known: Vec<_> = room.state.iter().zip(&picks).enumerate().filter(|(_, (((event_type, key), _), pick))| {
            if selected {
                types.as_ref().is_ok_and(|types| types.iter().any(|(t, k)| t == event_type && **k == **key))
            } else {
                **pick
            }
        }).map(|(index, ((_, event), _))| (Rc::clone(event), reject == Some(index))).collect();
        let mut parts: JsonValue = serde_json::from_str(event.json()).unwrap();
        parts["auth_events"] = known.iter().map(|(event, _)| JsonValue::from(event.event_id().as_str())).collect();
        let event = Rc::new(pdu(&parts));
        let create = (room.get_pdu("m.room.create", ""), reject == Some(15));
        let auth: Vec<_> = known.iter().map(|(pdu, rejected)| AuthEvent { pdu, rejected: *rejected }).collect();
        let ours = check_state_independent(
            rules, &event, &auth, Some(AuthEvent { pdu: &create.0, rejected: create.1 }),
        );
        let mut all = known.clone();
        if rules.room_create_event_id_as_room_id {
            all.retain(|(event, _)| event.event_type() != "m.room.create" );
            all.push(create);
        }
        let theirs = theirs_independent(&room, &event, &all);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?} {}", ours, theirs, event.json());
    }
}

#[test]
fn the_cases_cover_most_rules() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::<String, u32>::new();
    let mut allowed = 0;
    for _ in 0..3_000 {
        let (room, event) = case().new_tree(&mut runner).unwrap().current();
        match room.check(&event) {
            Ok(()) => allowed += 1,
            Err(rejection) => {
                let name = format!("{rejection:?}").split('(').next().unwrap().to_owned();
                *seen.entry(name).or_default() += 1;
            }
        }
    }
    assert!(allowed > 400, "{allowed} {seen:?}");
    assert!(seen.len() > 25, "{seen:?}");
}
