#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod independent;
mod member;
mod oracle;
mod other;
mod power_levels;
mod selection;

use std::{cell::Cell, collections::BTreeMap, convert::Infallible};

use ruma::{RoomVersionId, room_version_rules::RoomVersionRules};
use serde_json::{Value as JsonValue, json};

use super::*;
use crate::room_version::SUPPORTED;

const CREATOR: &str = "@creator:a";
const MODERATOR: &str = "@moderator:a";
const USER: &str = "@user:a";
const OTHER: &str = "@other:b";
const INVITED: &str = "@invited:b";
const BANNED: &str = "@banned:b";
const LEFT: &str = "@left:b";
const KNOCKING: &str = "@knocking:b";
const NOBODY: &str = "@nobody:b";

/// A room with a user in every standing: the creator (100, or all power), a moderator (50), members, and others.
#[derive(Debug, Clone)]
struct Room {
    version: RoomVersionId,
    rules: RoomVersionRules,
    state: BTreeMap<(String, String), Rc<Pdu>>,
}

impl Room {
    fn new(version: &RoomVersionId) -> Self {
        let rules = version.rules().unwrap();
        let mut room = Self { version: version.clone(), rules, state: BTreeMap::new() };
        room.set("m.room.create", "", CREATOR, &json!({ "creator": CREATOR, "room_version": version }));
        for (membership, users) in [
            ("join", &[CREATOR, MODERATOR, USER, OTHER][..]),
            ("invite", &[INVITED]),
            ("ban", &[BANNED]),
            ("leave", &[LEFT]),
            ("knock", &[KNOCKING]),
        ] {
            for user in users {
                room.set("m.room.member", user, user, &json!({ "membership": membership }));
            }
        }
        room.set("m.room.join_rules", "", CREATOR, &json!({ "join_rule": "invite" }));
        let users = if room.rules.authorization.explicitly_privilege_room_creators {
            json!({ MODERATOR: 50 })
        } else {
            json!({ CREATOR: 100, MODERATOR: 50 })
        };
        room.set("m.room.power_levels", "", CREATOR, &json!({ "users": users }));
        room
    }

    /// A room of every version.
    fn all() -> impl Iterator<Item = Self> {
        SUPPORTED.iter().map(Self::new)
    }

    /// Rooms of a version and those after it.
    fn since(version: &'static str) -> impl Iterator<Item = Self> {
        Self::all().filter(move |room| room.number() >= version.parse::<u32>().unwrap())
    }

    /// Rooms of versions before this one.
    fn before(version: &'static str) -> impl Iterator<Item = Self> {
        Self::all().filter(move |room| room.number() < version.parse::<u32>().unwrap())
    }

    fn number(&self) -> u32 {
        self.version.as_str().parse().unwrap()
    }

    fn set(&mut self, event_type: &str, state_key: &str, sender: &str, content: &JsonValue) {
        let event = self.event(event_type, Some(state_key), sender, content);
        self.state.insert((event_type.to_owned(), state_key.to_owned()), Rc::new(event));
    }

    fn with(mut self, event_type: &str, state_key: &str, sender: &str, content: &JsonValue) -> Self {
        self.set(event_type, state_key, sender, content);
        self
    }

    fn without(mut self, event_type: &str, state_key: &str) -> Self {
        self.state.remove(&(event_type.to_owned(), state_key.to_owned()));
        self
    }

    /// The same room with this join rule.
    fn open_to(self, join_rule: &str) -> Self {
        self.with("m.room.join_rules", "", CREATOR, &json!({ "join_rule": join_rule }))
    }

    /// The same room with these power levels; without the creator in version 12.
    fn levels(self, content: &JsonValue) -> Self {
        self.with("m.room.power_levels", "", CREATOR, content)
    }

    fn get_pdu(&self, event_type: &str, state_key: &str) -> Rc<Pdu> {
        Rc::clone(&self.state[&(event_type.to_owned(), state_key.to_owned())])
    }

    /// An event of this room.
    fn event(&self, event_type: &str, state_key: Option<&str>, sender: &str, content: &JsonValue) -> Pdu {
        let mut parts = self.parts(event_type, sender, content);
        if let Some(state_key) = state_key {
            parts["state_key"] = state_key.into();
        }
        pdu(&parts)
    }

    fn parts(&self, event_type: &str, sender: &str, content: &JsonValue) -> JsonValue {
        let mut parts = json!({
            "type": event_type, "sender": sender, "content": content, "origin_server_ts": 1, "depth": 1,
            "prev_events": ["$prev"], "auth_events": [], "room_id": "!create:a",
        });
        if event_type == "m.room.create" {
            parts["prev_events"] = json!([]);
            parts["event_id"] = "$create:a".into();
            if self.rules.authorization.room_create_event_id_as_room_id {
                parts.as_object_mut().unwrap().remove("room_id");
            }
        }
        parts
    }

    /// A membership event.
    fn member(&self, sender: &str, target: &str, membership: &str) -> Pdu {
        self.event("m.room.member", Some(target), sender, &json!({ "membership": membership }))
    }

    fn check(&self, event: &Pdu) -> Result<(), Rejection> {
        check_state_dependent(&self.rules.authorization, event, self).map_err(|error| match error {
            AuthError::Rejected(rejection) => rejection,
            AuthError::State(never) => match never {},
        })
    }

    fn allows(&self, event: &Pdu) {
        assert_eq!(self.check(event), Ok(()), "version {}: {}", self.version, event.json());
    }

    fn rejects(&self, event: &Pdu, rejection: Rejection) {
        assert_eq!(self.check(event), Err(rejection), "version {}: {}", self.version, event.json());
    }
}

impl AuthState for Room {
    type Error = Infallible;

    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, Infallible> {
        Ok(self.state.get(&(event_type.to_owned(), state_key.to_owned())).cloned())
    }
}

/// An event from its parts, with a new id unless it has one.
fn pdu(parts: &JsonValue) -> Pdu {
    thread_local!(static NEXT: Cell<u32> = const { Cell::new(0) });
    let number = NEXT.replace(NEXT.get().wrapping_add(1));
    let id = parts["event_id"].as_str().map_or(format!("${number}:a"), ToOwned::to_owned);
    Pdu::from_stored(id.try_into().unwrap(), parts.to_string()).unwrap()
}
