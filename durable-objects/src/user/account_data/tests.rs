#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::rc::Rc;

use ruma::{RoomId, api::error::ErrorCode, events::room::member::MembershipState, presence::PresenceState};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    rpc::{
        room::LogPosition,
        sync_token::SyncToken,
        user::{
            AccountKind, Authenticate, NewLogin, RegisterAccount, SetAccountData, SetMembership, SetTag,
            Sync, Synced, WantedFilter,
        },
    },
    testing::World,
    user_token::TokenKind,
};

const ROOM: &str = "!room:selvedge.test";

fn room() -> &'static RoomId {
    ROOM.try_into().unwrap()
}

struct Client {
    world: Rc<World>,
    token_hash: String,
}

impl Client {
    fn new() -> Self {
        let world = World::new();
        let command = RegisterAccount {
            kind: AccountKind::User,
            password: None,
            is_admin: false,
            guest_token_hash: None,
            login: Some(NewLogin::default()),
        };
        let session = world.call("alice", &command).unwrap().login.unwrap();
        let token_hash = TokenKind::Access.parse(&session.access_token).unwrap().hash;
        Self { world, token_hash }
    }

    fn sync(&self, since: Option<&Synced>, filter: Option<Value>) -> Synced {
        let since = since.map(|synced| {
            let token = SyncToken {
                chain: synced.chain,
                stream: synced.stream,
                to_device: synced.to_device,
                volatile: synced.volatile,
                selection: synced.selection,
                ..SyncToken::default()
            };
            token.encode()
        });
        let filter = filter.map(|json| RawValue::from_string(json.to_string()).unwrap());
        let command = Sync {
            credentials: Authenticate {
                token_hash: self.token_hash.clone(),
                address: String::new(),
                user_agent: String::new(),
            },
            since,
            filter: filter.map(WantedFilter::Definition),
            full_state: false,
            set_presence: PresenceState::Online,
        };
        self.world.call("alice", &command).unwrap()
    }

    fn set(&self, room: Option<&RoomId>, kind: &str, content: &Value) {
        let content = content.as_object().unwrap().clone();
        let room_id = room.map(ToOwned::to_owned);
        self.world.call("alice", &SetAccountData { room_id, kind: kind.to_owned(), content }).unwrap();
    }

    fn join(&self) {
        let command = SetMembership {
            room_id: room().to_owned(),
            membership: MembershipState::Join,
            position: Some(LogPosition(1)),
            sender: "@alice:selvedge.test".try_into().unwrap(),
            stripped_state: Vec::new(),
            event: None,
            predecessor: None,
        };
        self.world.call("alice", &command).unwrap();
    }
}

fn global(synced: &Synced) -> Vec<Value> {
    let section = synced.sections.iter().find(|section| section.name == "account_data");
    let json = section.map(|section| serde_json::from_str::<Value>(section.json.get()).unwrap());
    let events = json.map(|json| json["events"].as_array().unwrap().clone()).unwrap_or_default();
    events.into_iter().filter(|event| event["type"] != "m.push_rules").collect()
}

fn of_room(synced: &Synced) -> Vec<Value> {
    let room = synced.rooms.iter().find(|room| room.room_id == ROOM);
    room.map(|room| {
        room.account_data.iter().map(|event| serde_json::from_str(event.get()).unwrap()).collect()
    })
    .unwrap_or_default()
}

#[test]
fn a_sync_brings_account_data_once() {
    let client = Client::new();
    client.set(None, "org.a", &json!({"v": 1}));
    let first = client.sync(None, None);
    assert_eq!(global(&first), [json!({"type": "org.a", "content": {"v": 1}})]);
    assert_eq!(global(&client.sync(Some(&first), None)), Vec::<Value>::new());
    client.set(None, "org.a", &json!({"v": 2}));
    let second = client.sync(Some(&first), None);
    assert!(second.is_news());
    assert_eq!(global(&second), [json!({"type": "org.a", "content": {"v": 2}})]);
    assert_eq!(global(&client.sync(Some(&first), None)).len(), 1, "a token can be used again");
}

#[test]
fn setting_the_same_again_is_no_news() {
    let client = Client::new();
    client.set(None, "org.a", &json!({"v": 1}));
    let first = client.sync(None, None);
    client.set(None, "org.a", &json!({"v": 1}));
    assert!(!client.sync(Some(&first), None).is_news());
}

#[test]
fn a_rooms_account_data_comes_with_the_room() {
    let client = Client::new();
    client.set(Some(room()), "org.early", &json!({}));
    let before = client.sync(None, None);
    assert!(of_room(&before).is_empty());
    client.join();
    let joined = client.sync(Some(&before), None);
    assert_eq!(of_room(&joined), [json!({"type": "org.early", "content": {}})]);
    let info = Some(Map::new());
    client.world.call("alice", &SetTag { room_id: room().to_owned(), tag: "u.x".to_owned(), info }).unwrap();
    let tagged = json!({"type": "m.tag", "content": {"tags": {"u.x": {}}}});
    let changed = client.sync(Some(&joined), None);
    assert!(of_room(&changed).contains(&tagged));
    let fresh = of_room(&client.sync(None, None));
    assert_eq!(fresh.len(), 2);
    assert!(fresh.contains(&tagged));
}

#[test]
fn a_filter_chooses_types_of_account_data() {
    let client = Client::new();
    client.join();
    for kind in ["org.a", "org.b"] {
        client.set(None, kind, &json!({}));
        client.set(Some(room()), kind, &json!({}));
    }
    let filter =
        json!({"account_data": {"types": ["org.a"]}, "room": {"account_data": {"not_types": ["org.a"]}}});
    let synced = client.sync(None, Some(filter));
    assert_eq!(global(&synced), [json!({"type": "org.a", "content": {}})]);
    assert_eq!(of_room(&synced), [json!({"type": "org.b", "content": {}})]);
}

#[test]
fn ignored_users_are_known_to_a_sync() {
    let client = Client::new();
    client.join();
    client.set(None, "m.ignored_user_list", &json!({"ignored_users": {"@spam:a.test": {}, "nonsense": {}}}));
    assert_eq!(client.sync(None, None).ignored_users, ["@spam:a.test"]);
}

#[test]
fn nobody_ignores_themselves() {
    let client = Client::new();
    let ignored = json!({"ignored_users": {"@alice:selvedge.test": {}}});
    let kind = "m.ignored_user_list".to_owned();
    let command = SetAccountData { room_id: None, kind, content: ignored.as_object().unwrap().clone() };
    let error = client.world.call("alice", &command).unwrap_err();
    assert!(error.is(&ErrorCode::InvalidParam), "{error:?}");
}
