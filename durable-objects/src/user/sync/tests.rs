#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{future::ready, rc::Rc};

use ruma::{
    OwnedRoomId, OwnedUserId, events::room::member::MembershipState, presence::PresenceState, serde::Raw,
};
use serde_json::{json, value::to_raw_value};

use crate::{
    ledger::{self, Ledger},
    matrix_error::MatrixError,
    platform::{ActorKind, ActorName},
    rpc::{
        self, Awaited, Command,
        room::LogPosition,
        sync_token::{SeenRoom, SyncToken},
        user::{
            AccountKind, Authenticate, ForgetRoom, NewLogin, RegisterAccount, RoomChanged, RoomStirred,
            SetMembership, Standing, StoreSeen, Sync, Synced, WantedFilter,
        },
    },
    testing::{Begun, World},
    user_token::TokenKind,
};

/// One user with a client that only follows `/sync`.
struct Client {
    world: Rc<World>,
    token_hash: String,
}

impl Client {
    fn new() -> Self {
        let world = World::new();
        let login = Some(NewLogin::default());
        let command = RegisterAccount {
            kind: AccountKind::User,
            password: None,
            is_admin: false,
            guest_token_hash: None,
            login,
        };
        let session = world.call("alice", &command).unwrap().login.unwrap();
        let token_hash = TokenKind::Access.parse(&session.access_token).unwrap().hash;
        Self { world, token_hash }
    }

    fn call<C: Command<Actor = rpc::User>>(&self, command: &C) -> Result<C::Reply, MatrixError> {
        self.world.call("alice", command)
    }

    fn cost<C: Command<Actor = rpc::User>>(&self, command: &C) -> Ledger {
        let call = async { ready(self.call(command)).await };
        let (reply, cost) = self.world.block_on(ledger::scoped(call));
        reply.unwrap();
        cost
    }

    fn request(&self, since: Option<&str>) -> Sync {
        Sync {
            credentials: Authenticate {
                token_hash: self.token_hash.clone(),
                address: String::new(),
                user_agent: String::new(),
            },
            since: since.map(ToOwned::to_owned),
            filter: None,
            full_state: false,
            set_presence: PresenceState::Online,
        }
    }

    fn sync(&self, since: Option<&str>) -> Synced {
        self.call(&self.request(since)).unwrap()
    }

    fn wait(&self, since: &str) -> Begun<Awaited<Synced>> {
        let (platform, request) = (self.world.platform(), self.request(Some(since)));
        self.world
            .begin(async move { rpc::wait(platform.as_ref(), "alice", &request, 30_000).await.unwrap() })
    }

    fn join(&self, room: &str, position: u64) {
        self.set(room, MembershipState::Join, Some(position));
    }

    fn set(&self, room: &str, membership: MembershipState, position: Option<u64>) {
        self.call(&set_membership(room, membership, position)).unwrap();
    }

    fn wake(&self, room: &str, position: u64) {
        self.call(&RoomChanged { room_id: room_id(room), position: LogPosition(position) }).unwrap();
    }

    fn actor() -> ActorName {
        ActorName { kind: ActorKind::User, name: "alice".to_owned() }
    }
}

fn room_id(name: &str) -> OwnedRoomId {
    format!("!{name}:selvedge.test").try_into().unwrap()
}

fn set_membership(room: &str, membership: MembershipState, position: Option<u64>) -> SetMembership {
    SetMembership {
        room_id: room_id(room),
        membership,
        position: position.map(LogPosition),
        sender: OwnedUserId::try_from("@bob:selvedge.test").unwrap(),
        stripped_state: vec![Raw::from_json(to_raw_value(&json!({"type": "m.room.name"})).unwrap())],
        event: None,
        predecessor: None,
    }
}

/// The token that an answer would hand out after the rooms were seen up to these positions.
fn token(synced: &Synced, seen: &[(&str, u64)]) -> String {
    let number = |name: &str| synced.rooms.iter().find(|room| room.room_id == room_id(name)).unwrap().number;
    SyncToken {
        chain: synced.chain,
        stream: synced.stream,
        to_device: synced.to_device,
        volatile: synced.volatile,
        selection: synced.selection,
        seen: seen
            .iter()
            .map(|(name, position)| SeenRoom { room: number(name), position: LogPosition(*position) })
            .collect(),
        typing: Vec::new(),
    }
    .encode()
}

/// The rooms of an answer, each with where it is to be read from.
fn rooms(synced: &Synced) -> Vec<(String, Option<u64>)> {
    let from = |standing: &Standing| match standing {
        Standing::Joined { from, .. } | Standing::Left { from } => from.map(|position| position.0),
        _ => None,
    };
    let name = |id: &OwnedRoomId| id.as_str()[1..].split(':').next().unwrap().to_owned();
    synced.rooms.iter().map(|room| (name(&room.room_id), from(&room.standing))).collect()
}

#[test]
fn a_first_sync_has_all_joined_rooms_from_their_start() {
    let client = Client::new();
    client.join("a", 3);
    client.join("b", 4);
    client.set("c", MembershipState::Leave, Some(9));
    assert_eq!(rooms(&client.sync(None)), [("a".to_owned(), None), ("b".to_owned(), None)]);
}

#[test]
fn a_room_that_changed_is_read_from_where_the_token_says() {
    let client = Client::new();
    client.join("a", 3);
    client.join("b", 4);
    let first = token(&client.sync(None), &[("a", 5), ("b", 6)]);
    assert!(client.sync(Some(&first)).rooms.is_empty());
    client.wake("b", 7);
    assert_eq!(rooms(&client.sync(Some(&first))), [("b".to_owned(), Some(6))]);
}

#[test]
fn what_a_token_carried_is_known_to_later_tokens() {
    let client = Client::new();
    client.join("a", 3);
    client.join("b", 4);
    let first = token(&client.sync(None), &[("a", 5), ("b", 6)]);
    client.wake("b", 7);
    let second = token(&client.sync(Some(&first)), &[("b", 7)]);
    client.wake("a", 8);
    assert_eq!(rooms(&client.sync(Some(&second))), [("a".to_owned(), Some(5))]);
}

#[test]
fn an_answer_that_was_lost_advances_nothing() {
    let client = Client::new();
    client.join("a", 3);
    let first = token(&client.sync(None), &[("a", 5)]);
    client.wake("a", 7);
    let _lost = token(&client.sync(Some(&first)), &[("a", 7)]);
    client.wake("a", 9);
    assert_eq!(rooms(&client.sync(Some(&first))), [("a".to_owned(), Some(5))]);
}

#[test]
fn an_old_token_gives_the_same_again_or_more() {
    let client = Client::new();
    client.join("a", 1);
    let first = token(&client.sync(None), &[("a", 1)]);
    let mut last = first.clone();
    for position in 2..100 {
        client.wake("a", position);
        last = token(&client.sync(Some(&last)), &[("a", position)]);
    }
    assert_eq!(rooms(&client.sync(Some(&first))), [("a".to_owned(), Some(1))]);
}

#[test]
fn two_clients_do_not_disturb_each_other() {
    let client = Client::new();
    client.join("a", 3);
    client.join("b", 3);
    let slow = token(&client.sync(None), &[("a", 5), ("b", 5)]);
    let fast = token(&client.sync(None), &[("a", 5), ("b", 5)]);
    client.wake("a", 6);
    // The fast client saw more than it was woken for.
    let fast = token(&client.sync(Some(&fast)), &[("a", 8)]);
    client.sync(Some(&fast));
    let slow = token(&client.sync(Some(&slow)), &[("a", 6)]);
    client.wake("a", 8);
    assert_eq!(rooms(&client.sync(Some(&slow))), [("a".to_owned(), Some(6))]);
}

#[test]
fn a_room_that_was_joined_again_is_new_to_the_client() {
    let client = Client::new();
    client.join("a", 3);
    let first = token(&client.sync(None), &[("a", 5)]);
    client.set("a", MembershipState::Leave, Some(6));
    let left = client.sync(Some(&first));
    assert_eq!(left.rooms[0].standing, Standing::Left { from: Some(LogPosition(5)) });
    let second = token(&left, &[("a", 6)]);
    assert!(client.sync(Some(&second)).rooms.is_empty(), "a left room is told of once");
    client.join("a", 8);
    assert_eq!(rooms(&client.sync(Some(&second))), [("a".to_owned(), None)]);
    assert_eq!(rooms(&client.sync(Some(&first))), [("a".to_owned(), None)]);
}

#[test]
fn a_membership_that_arrives_late_changes_nothing() {
    let client = Client::new();
    client.set("a", MembershipState::Leave, Some(6));
    client.join("a", 3);
    assert!(client.sync(None).rooms.is_empty());
}

#[test]
fn an_invitation_is_shown_with_its_stripped_state() {
    let client = Client::new();
    let first = token(&client.sync(None), &[]);
    client.set("a", MembershipState::Invite, Some(2));
    let synced = client.sync(Some(&first));
    let Standing::Invited(state) = &synced.rooms[0].standing else { panic!("{synced:?}") };
    assert_eq!(state.0.get(), r#"[{"type":"m.room.name"}]"#);
    let second = token(&synced, &[]);
    assert!(client.sync(Some(&second)).rooms.is_empty());
    assert_eq!(client.sync(None).rooms.len(), 1, "a first sync has it while it stands");
}

#[test]
fn an_invitation_from_outside_that_was_declined_is_told_of_without_the_room() {
    let client = Client::new();
    client.set("a", MembershipState::Invite, None);
    let first = token(&client.sync(None), &[]);
    client.set("a", MembershipState::Leave, None);
    let synced = client.sync(Some(&first));
    assert_eq!(synced.rooms[0].standing, Standing::Declined(None));
}

#[test]
fn a_forgotten_room_is_told_of_only_to_clients_that_had_it() {
    let client = Client::new();
    client.join("a", 3);
    let first = token(&client.sync(None), &[("a", 3)]);
    assert!(client.call(&ForgetRoom { room_id: room_id("a") }).unwrap_err().status == 400);
    client.set("a", MembershipState::Leave, Some(4));
    client.call(&ForgetRoom { room_id: room_id("a") }).unwrap();
    assert_eq!(rooms(&client.sync(Some(&first))), [("a".to_owned(), Some(3))]);
    let mut from_nothing = client.request(None);
    let filter = json!({"room": {"include_leave": true}});
    from_nothing.filter = Some(WantedFilter::Definition(to_raw_value(&filter).unwrap()));
    assert!(client.call(&from_nothing).unwrap().rooms.is_empty());
}

#[test]
fn another_choice_of_rooms_shows_what_was_left_out() {
    let client = Client::new();
    client.join("a", 3);
    client.join("b", 3);
    let mut request = client.request(None);
    let filter = json!({"room": {"not_rooms": [room_id("b")]}});
    request.filter = Some(WantedFilter::Definition(to_raw_value(&filter).unwrap()));
    let only_a = client.call(&request).unwrap();
    assert_eq!(rooms(&only_a), [("a".to_owned(), None)]);
    let since = token(&only_a, &[("a", 5)]);
    assert_eq!(
        rooms(&client.sync(Some(&since))),
        [("a".to_owned(), Some(5)), ("b".to_owned(), None)],
        "without the filter"
    );
}

#[test]
fn a_token_that_is_not_one_is_refused() {
    let client = Client::new();
    for text in ["", "s", "nonsense", "s72594_4483_1934", "t12"] {
        let error = client.call(&client.request(Some(text))).unwrap_err();
        assert_eq!((error.status, &*error.code), (400, "M_INVALID_PARAM"), "{text}");
    }
}

#[test]
fn a_token_of_another_user_tells_everything_again() {
    let client = Client::new();
    client.join("a", 3);
    let synced = client.sync(None);
    let own = SyncToken::decode(&token(&synced, &[("a", 3)])).unwrap();
    assert!(client.sync(Some(&own.encode())).rooms.is_empty());
    let others = SyncToken { chain: own.chain ^ 1, ..own.clone() };
    let ahead = SyncToken { stream: 1_000, ..own };
    for token in [others, ahead] {
        assert_eq!(rooms(&client.sync(Some(&token.encode()))), [("a".to_owned(), None)]);
    }
}

#[test]
fn who_waits_is_answered_by_a_wake() {
    let client = Client::new();
    client.join("a", 3);
    let first = token(&client.sync(None), &[("a", 3)]);
    let waiting = client.wait(&first);
    assert!(waiting.take().is_none());
    client.wake("a", 4);
    let Some(Awaited::Reply(synced)) = waiting.take() else { panic!("no answer") };
    assert_eq!(rooms(&synced), [("a".to_owned(), Some(3))]);
    assert_eq!(client.world.waiting_at(&Client::actor()), 0);
}

#[test]
fn who_waits_longer_than_the_actor_remembers_is_answered_by_a_wake() {
    let client = Client::new();
    client.join("a", 3);
    let first = token(&client.sync(None), &[("a", 3)]);
    let platform = client.world.platform();
    let request = client.request(Some(&first));
    let waiting =
        client.world.begin(async move { rpc::wait(platform.as_ref(), "alice", &request, 30_000).await });
    client.world.hibernate(&Client::actor());
    client.wake("a", 4);
    assert!(matches!(waiting.take(), Some(Ok(Awaited::Reply(_)))));
}

#[test]
fn who_waits_in_vain_hears_nothing() {
    let client = Client::new();
    let first = token(&client.sync(None), &[]);
    let waiting = client.wait(&first);
    client.world.advance(30_000);
    client.world.settle();
    let Some(Awaited::Nothing(synced)) = waiting.take() else { panic!("an answer") };
    assert!(!synced.is_news());
    assert_eq!(client.world.waiting_at(&Client::actor()), 0);
}

#[test]
fn typing_reaches_who_waits_and_writes_nothing() {
    let client = Client::new();
    client.join("a", 3);
    let first = token(&client.sync(None), &[("a", 3)]);
    client.sync(Some(&first));
    let waiting = client.wait(&first);
    let cost = client.cost(&RoomStirred { room_id: room_id("a") });
    assert_eq!(cost.rows_written, 0);
    let Some(Awaited::Reply(synced)) = waiting.take() else { panic!("no answer") };
    assert_eq!(rooms(&synced), [("a".to_owned(), Some(3))]);
    let second = token(&synced, &[("a", 3)]);
    assert!(client.sync(Some(&second)).rooms.is_empty());
}

#[test]
fn who_saw_someone_type_asks_again_after_the_actor_forgot() {
    let client = Client::new();
    client.join("a", 3);
    let synced = client.sync(None);
    let mut decoded = SyncToken::decode(&token(&synced, &[("a", 3)])).unwrap();
    decoded.typing = vec![synced.rooms[0].number];
    let typing = decoded.encode();
    assert!(client.sync(Some(&typing)).rooms.is_empty());
    client.world.advance(5);
    client.world.restart();
    assert_eq!(rooms(&client.sync(Some(&typing))).len(), 1);
}

#[test]
fn a_thousand_wakes_of_an_absent_user_write_one_row() {
    let client = Client::new();
    client.join("a", 3);
    client.sync(None);
    let mut cost = Ledger::default();
    for position in 4..1_004 {
        cost =
            cost.plus(client.cost(&RoomChanged { room_id: room_id("a"), position: LogPosition(position) }));
    }
    assert_eq!(cost.rows_written, 1);
    assert_eq!(cost.calls, 1_000);
    assert!(cost.rows_read <= 3_000, "{cost:?}");
}

#[test]
fn waiting_in_vain_is_one_call_and_writes_nothing() {
    let client = Client::new();
    for room in 0..50 {
        client.join(&format!("room{room}"), 3);
    }
    let first = token(&client.sync(None), &[]);
    client.world.restart();
    let platform = client.world.platform();
    let request = client.request(Some(&first));
    let waiting = client.world.begin(ledger::scoped(async move {
        rpc::wait(platform.as_ref(), "alice", &request, 30_000).await.unwrap()
    }));
    client.world.advance(30_000);
    client.world.settle();
    let Some((Awaited::Nothing(_), cost)) = waiting.take() else { panic!("an answer") };
    assert_eq!((cost.calls, cost.rows_written), (1, 0));
    assert!(cost.rows_read <= 10, "{cost:?}");
}

#[test]
fn a_sync_writes_one_row_for_each_room_that_its_token_carries() {
    let client = Client::new();
    for room in ["a", "b", "c", "d"] {
        client.join(room, 3);
    }
    let first = token(&client.sync(None), &[("a", 3), ("b", 3), ("c", 3)]);
    let cost = client.cost(&client.request(Some(&first)));
    assert_eq!(cost.rows_written, 3);
    let again = client.cost(&client.request(Some(&first)));
    assert_eq!(again.rows_written, 0);
}

#[test]
fn what_does_not_fit_a_token_is_stored_beforehand() {
    let client = Client::new();
    client.join("a", 3);
    let synced = client.sync(None);
    let seen = vec![SeenRoom { room: synced.rooms[0].number, position: LogPosition(5) }];
    client.call(&StoreSeen { chain: synced.chain, stream: synced.stream, seen }).unwrap();
    client.wake("a", 6);
    assert_eq!(rooms(&client.sync(Some(&token(&synced, &[])))), [("a".to_owned(), Some(5))]);
}
