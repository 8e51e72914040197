//! Joining a large room: the user is in it before all of its members are known.

use serde_json::{Value, json};

use crate::testing::{Client, Neighbours};

/// A room of so many users on one server, and one of the other server who joins it.
struct Story {
    servers: Neighbours,
    alice: Client,
    bob: Client,
    room: String,
}

const MEMBERS: usize = 8;

impl Story {
    /// Bob has joined, and the rest of the state cannot be fetched yet.
    fn new() -> Self {
        let servers = Neighbours::new();
        let alice = servers.clients[0].register("alice");
        let bob = servers.clients[1].register("bob");
        let preset = json!({"preset": "public_chat", "name": "Large"});
        let room = alice.ok("POST", "/_matrix/client/v3/createRoom", preset);
        let room = room["room_id"].as_str().unwrap().to_owned();
        for index in 1..MEMBERS {
            let member = servers.clients[0].register(&format!("user{index}"));
            member.ok("POST", &format!("/_matrix/client/v3/join/{room}"), json!({}));
        }
        servers.settle();
        servers.refuse(Some("/state_ids/"));
        bob.ok("POST", &format!("/_matrix/client/v3/join/{room}?via=one.test"), json!({}));
        servers.settle();
        Self { servers, alice, bob, room }
    }

    /// What bob's client sees of the room, which loads members lazily or not.
    fn sync(&self, is_lazy: bool, since: Option<&str>) -> (Value, String) {
        let filter = json!({"room": {"state": {"lazy_load_members": is_lazy}}}).to_string();
        let filter = filter.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
        let path = format!("/_matrix/client/v3/sync?timeout=0&filter={filter}{since}");
        let synced = self.bob.ok("GET", &path, Value::Null);
        let next = synced["next_batch"].as_str().unwrap().to_owned();
        (synced["rooms"]["join"][&self.room].clone(), next)
    }

    fn path(&self, of: &str) -> String {
        format!("/_matrix/client/v3/rooms/{}/{of}", self.room)
    }

    /// The rest of the state can be fetched, and time goes by.
    fn let_it_complete(&self) {
        self.servers.refuse(None);
        for _ in 0..10 {
            self.servers.pass(60_000);
            self.servers.settle();
        }
    }
}

fn members(events: &Value) -> Vec<&str> {
    let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
    let members = events.iter().filter(|event| event["type"] == "m.room.member");
    members.map(|event| event["state_key"].as_str().unwrap()).collect()
}

#[test]
fn who_has_joined_is_in_the_room_before_its_members_are_known() {
    let story = Story::new();
    let (lazy, since) = story.sync(true, None);
    assert_eq!(lazy["timeline"]["events"][0]["sender"], "@bob:two.test");
    assert!(story.sync(false, None).0.is_null());
    // Both ways.
    story.bob.ok("PUT", &story.path("send/m.room.message/1"), json!({"msgtype": "m.text", "body": "hello"}));
    story.alice.ok("PUT", &story.path("send/m.room.message/1"), json!({"msgtype": "m.text", "body": "hi"}));
    story.servers.settle();
    let (lazy, since) = story.sync(true, Some(&since));
    let bodies: Vec<_> = lazy["timeline"]["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["content"]["body"])
        .collect();
    assert_eq!(bodies, ["hello", "hi"]);
    assert_eq!(members(&lazy["state"]["events"]), ["@alice:one.test"], "who writes is shown");
    let shown = story.alice.ok("GET", &story.path("messages?dir=b&limit=2"), Value::Null);
    assert_eq!(shown["chunk"].as_array().unwrap().len(), 2);

    story.let_it_complete();
    let (eager, _) = story.sync(false, None);
    assert_eq!(members(&eager["state"]["events"]).len(), MEMBERS);
    let (lazy, _) = story.sync(true, Some(&since));
    assert_eq!(lazy["summary"]["m.joined_member_count"], MEMBERS + 1);
    assert!(members(&lazy["state"]["events"]).is_empty(), "nobody came: {lazy}");
}

#[test]
fn who_asks_for_members_waits_for_them() {
    let story = Story::new();
    let asked = ["members", "joined_members", "state", "state/m.room.member/@user1:one.test"];
    let pending: Vec<_> = asked.iter().map(|of| story.bob.begin("GET", &story.path(of))).collect();
    assert!(pending.iter().all(|pending| pending.take().is_none()));
    let name = story.bob.ok("GET", &story.path("state/m.room.name"), Value::Null);
    assert_eq!(name["name"], "Large");
    story.servers.refuse(None);
    story.servers.pass(15_000);
    story.servers.settle();
    story.servers.pass(1_000);
    story.servers.settle();
    let answers: Vec<_> = pending.iter().map(|pending| pending.take().unwrap()).collect();
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(members(&answers[0].1["chunk"]).len(), MEMBERS + 1);
    assert_eq!(answers[1].1["joined"].as_object().unwrap().len(), MEMBERS + 1);
    assert_eq!(answers[3].1["membership"], "join");
}

#[test]
fn who_waits_too_long_for_members_is_told_to_come_back() {
    let story = Story::new();
    let pending = story.bob.begin("GET", &story.path("members"));
    story.servers.pass(61_000);
    story.servers.clients[1].world.settle();
    assert_eq!(pending.take().unwrap().0, 504);
}

#[test]
fn the_members_are_fetched_after_a_restart() {
    let story = Story::new();
    story.servers.clients[1].world.restart();
    story.let_it_complete();
    assert_eq!(members(&story.sync(false, None).0["state"]["events"]).len(), MEMBERS);
}

#[test]
fn another_user_joins_through_a_server_that_knows_all() {
    let story = Story::new();
    let ban = json!({"user_id": "@ben:two.test"});
    story.alice.ok("POST", &story.path("ban"), ban);
    story.servers.settle();
    let ben = story.servers.clients[1].register("ben");
    let join = format!("/_matrix/client/v3/join/{}", story.room);
    assert_eq!(ben.request("POST", &join, json!({})).0, 403);
    let bill = story.servers.clients[1].register("bill");
    bill.ok("POST", &join, json!({}));
    story.let_it_complete();
    let joined = story.bob.ok("GET", &story.path("joined_members"), Value::Null);
    assert_eq!(joined["joined"].as_object().unwrap().len(), MEMBERS + 2);
}

#[test]
fn who_leaves_at_once_does_not_wait_and_may_come_back() {
    let story = Story::new();
    story.bob.ok("POST", &story.path("leave"), json!({}));
    story.servers.settle();
    let join = format!("/_matrix/client/v3/join/{}?via=one.test", story.room);
    story.bob.ok("POST", &join, json!({}));
    assert!(!story.sync(true, None).0.is_null());
    story.let_it_complete();
    let joined = story.bob.ok("GET", &story.path("joined_members"), Value::Null);
    assert_eq!(joined["joined"].as_object().unwrap().len(), MEMBERS + 1);
}
