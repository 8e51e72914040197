//! A room of any size, as another server would give it to one that joins.

use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedServerName, OwnedUserId, RoomVersionId,
    ServerName, UInt, UserId,
    room_version_rules::RoomVersionRules,
    serde::{Base64, base64::Standard},
    signatures::{Ed25519KeyPair, sign_json},
};
use selvedge_protocol::event::{EventBuilder, EventReference, Pdu, VerifiedPdu};
use serde_json::{Value, json};

use crate::{room::commit::Author, signing::key_pair};

/// How many servers the members are from.
const SERVERS: usize = 200;

/// The servers whose users are in the room, and its first events.
pub struct LargeRoom {
    /// The room's version.
    pub version: RoomVersionId,
    /// The room.
    pub room_id: OwnedRoomId,
    rules: RoomVersionRules,
    server: OwnedServerName,
    members_of: Vec<OwnedServerName>,
    key: Ed25519KeyPair,
    create: Pdu,
    levels: Pdu,
    join_rules: Pdu,
    creator: Pdu,
    others: Vec<Pdu>,
    now: u64,
}

impl Default for LargeRoom {
    fn default() -> Self {
        Self::new()
    }
}

impl LargeRoom {
    /// A public room with members of 200 servers.
    pub fn new() -> Self {
        let name = |name: String| OwnedServerName::try_from(name).expect("a server name");
        let members_of = (0..SERVERS).map(|number| name(format!("s{number}.example.org")));
        Self::of(name("large.test".to_owned()), members_of.collect())
    }

    /// A public room that a user of `server` made, with members of others. All sign with the same key.
    pub fn of(server: OwnedServerName, members_of: Vec<OwnedServerName>) -> Self {
        let version = RoomVersionId::V11;
        let rules = version.rules().expect("the version is known");
        let key = key_pair(&[7; 32], "1".to_owned()).expect("a key");
        let room_id = OwnedRoomId::try_from(format!("!large:{server}")).expect("a room id");
        let owner = format!("@creator:{server}");
        let first = Draft {
            rules: &rules,
            room_id: &room_id,
            server: &server,
            key: &key,
            now: 1_000,
            prev: None,
            auth: &[],
        };
        let create = first.build("creator", "m.room.create", "", "{\"room_version\":\"11\"}");
        let join = "{\"membership\":\"join\"}";
        let creator = first.after(&create, &[&create]).build("creator", "m.room.member", &owner, join);
        let next = |prev: &Pdu, auth: &[&Pdu], event_type: &str, content: &str| {
            first.after(prev, auth).build("creator", event_type, "", content)
        };
        let levels = format!("{{\"users\":{{\"{owner}\":100}}}}");
        let levels = next(&creator, &[&create, &creator], "m.room.power_levels", &levels);
        let auth = [&create, &creator, &levels];
        let join_rules = next(&levels, &auth, "m.room.join_rules", "{\"join_rule\":\"public\"}");
        let visibility = "{\"history_visibility\":\"shared\"}";
        let visibility = next(&join_rules, &auth, "m.room.history_visibility", visibility);
        let topic = next(&visibility, &auth, "m.room.topic", "{\"topic\":\"A large room\"}");
        let others = vec![visibility, topic];
        let now = 2_000;
        Self {
            version,
            room_id,
            rules,
            server,
            members_of,
            key,
            create,
            levels,
            join_rules,
            creator,
            others,
            now,
        }
    }

    /// The state but for the members, and with it its auth chain.
    pub fn state(&self) -> Vec<Pdu> {
        let mut state =
            vec![self.create.clone(), self.creator.clone(), self.levels.clone(), self.join_rules.clone()];
        state.extend(self.others.iter().cloned());
        state
    }

    /// The join of a member by number.
    pub fn member(&self, number: usize) -> Pdu {
        let server = number.checked_rem(self.members_of.len()).and_then(|index| self.members_of.get(index));
        let server = server.unwrap_or(&self.server);
        self.join(&format!("member-{number}"), server.as_str(), number)
    }

    /// The join of a user of another server, by number.
    pub fn join(&self, localpart: &str, server: &str, number: usize) -> Pdu {
        let server = OwnedServerName::try_from(server).expect("a server name");
        let user = format!("@{localpart}:{server}");
        let content = format!(
            "{{\"avatar_url\":\"mxc://{server}/abcdefghijklmnopqrstuvwx\",\"displayname\":\"Member {number}\",\"membership\":\"join\"}}"
        );
        let prev = self.last();
        let draft = Draft {
            rules: &self.rules,
            room_id: &self.room_id,
            server: &server,
            key: &self.key,
            now: self.now.saturating_add(number as u64),
            prev: Some(prev),
            auth: &[&self.create, &self.levels, &self.join_rules],
        };
        draft.build(localpart, "m.room.member", &user, &content)
    }

    /// What `make_join` proposes to `user` `[S-S §11.1]`.
    pub fn make_join(&self, user: &UserId) -> Value {
        let auth = [&self.create, &self.levels, &self.join_rules];
        json!({
            "room_version": self.version,
            "event": {
                "type": "m.room.member",
                "room_id": self.room_id,
                "sender": user,
                "state_key": user,
                "content": { "membership": "join" },
                "origin_server_ts": self.now,
                "depth": self.last().depth().saturating_add(1),
                "prev_events": [self.last().event_id()],
                "auth_events": auth.map(Pdu::event_id),
            },
        })
    }

    /// What a server of the room answers about its key `[S-S §3.1]`.
    pub fn keys_of(&self, server: &ServerName) -> Value {
        let answer = json!({
            "server_name": server,
            "valid_until_ts": 4_000_000_000_000_u64,
            "verify_keys": { "ed25519:1": { "key": Base64::<Standard>::new(self.key.public_key().to_vec()) } },
            "old_verify_keys": {},
        });
        let mut answer = serde_json::from_value(answer).expect("an object");
        sign_json(server.as_str(), &self.key, &mut answer).expect("it can be signed");
        serde_json::to_value(answer).expect("an object")
    }

    /// What a server needs to make events of its own.
    pub fn author<'a>(&'a self, server: &'a OwnedServerName) -> Author<'a> {
        Author { server, key: &self.key, now: timestamp(1_000_000_000), entropy: [1; 12] }
    }

    fn last(&self) -> &Pdu {
        self.others.last().unwrap_or(&self.create)
    }

    /// The name of the server that has the room.
    pub fn server(&self) -> &OwnedServerName {
        &self.server
    }
}

/// The event as the edge hands it to a room.
pub fn verified(pdu: Pdu) -> VerifiedPdu {
    VerifiedPdu::vouched_for(pdu, false)
}

fn timestamp(milliseconds: u64) -> MilliSecondsSinceUnixEpoch {
    MilliSecondsSinceUnixEpoch(UInt::try_from(milliseconds).unwrap_or(UInt::MAX))
}

/// What events have in common.
#[derive(Clone, Copy)]
struct Draft<'a> {
    rules: &'a RoomVersionRules,
    room_id: &'a OwnedRoomId,
    server: &'a OwnedServerName,
    key: &'a Ed25519KeyPair,
    now: u64,
    prev: Option<&'a Pdu>,
    auth: &'a [&'a Pdu],
}

impl<'a> Draft<'a> {
    fn after(self, prev: &'a Pdu, auth: &'a [&'a Pdu]) -> Self {
        Self { prev: Some(prev), auth, now: self.now.saturating_add(prev.depth()), ..self }
    }

    fn build(&self, sender: &str, event_type: &str, state_key: &str, content: &str) -> Pdu {
        let by_id = |pdu: &Pdu| EventReference::by_id(OwnedEventId::from(pdu.event_id()));
        let builder = EventBuilder {
            room_id: Some(self.room_id.clone()),
            sender: OwnedUserId::try_from(format!("@{sender}:{}", self.server)).expect("a user id"),
            event_type: event_type.to_owned(),
            state_key: Some(state_key.to_owned()),
            content: content.to_owned(),
            redacts: None,
            origin_server_ts: timestamp(self.now),
            depth: self.prev.map_or(1, |prev| prev.depth().saturating_add(1)),
            prev_events: self.prev.map(by_id).into_iter().collect(),
            auth_events: self.auth.iter().map(|pdu| by_id(pdu)).collect(),
            opaque_id: None,
        };
        builder.build(self.server, self.key, self.rules).expect("the event is well formed")
    }
}
