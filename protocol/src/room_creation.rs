//! What a new room starts with. [C-S §11.1, `POST /createRoom`]

mod create_event;
mod power_levels;
#[cfg(test)]
mod tests;
mod upgrade;

use ruma::{OwnedRoomAliasId, OwnedUserId, RoomVersionId, room_version_rules::AuthorizationRules};
use serde_json::{Map, Value, json, value::RawValue};

pub use self::upgrade::{
    TRANSFERRED_STATE, divided_aliases, retired_power_levels, upgraded_create, upgraded_power_levels,
};

pub use self::create_event::{CreateError, build_create};

/// The common kinds of rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// By invitation.
    Private,
    /// By invitation, and the first invitees are the creator's equals.
    TrustedPrivate,
    /// Open to everyone.
    Public,
}

/// A state event to be.
#[derive(Debug, Clone)]
pub struct StateDraft {
    /// The type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// The content: the JSON text of an object.
    pub content: String,
}

/// A room to be.
#[derive(Debug, Clone)]
pub struct RoomCreation {
    /// The room's version.
    pub version: RoomVersionId,
    /// Who makes it.
    pub creator: OwnedUserId,
    /// Its kind.
    pub preset: Preset,
    /// What the creator wants in the content of the `m.room.create`.
    pub creation_content: Map<String, Value>,
    /// Replaces members of the content of the first `m.room.power_levels`.
    pub power_level_content_override: Map<String, Value>,
    /// The alias made for the room.
    pub canonical_alias: Option<OwnedRoomAliasId>,
    /// State that the creator asks for.
    pub initial_state: Vec<StateDraft>,
    /// The name.
    pub name: Option<String>,
    /// The topic, plain text.
    pub topic: Option<String>,
    /// Who is invited from the start.
    pub invite: Vec<OwnedUserId>,
}

impl StateDraft {
    /// A state event with an empty state key.
    pub fn new(event_type: &str, content: &Value) -> Self {
        Self { event_type: event_type.to_owned(), state_key: String::new(), content: content.to_string() }
    }

    fn is(&self, event_type: &str) -> bool {
        self.event_type == event_type && self.state_key.is_empty()
    }
}

impl RoomCreation {
    /// The content of the `m.room.create`.
    pub fn create_content(&self, rules: &AuthorizationRules) -> Map<String, Value> {
        let mut content = self.creation_content.clone();
        content.insert("room_version".to_owned(), json!(self.version));
        content.remove("creator");
        if !rules.use_room_create_sender {
            content.insert("creator".to_owned(), json!(self.creator));
        }
        if rules.additional_room_creators && self.preset == Preset::TrustedPrivate {
            self.add_invitees(&mut content);
        }
        content
    }

    /// Invitees of a trusted room are creators; a list that is none is left for the authorisation rules to reject.
    fn add_invitees(&self, content: &mut Map<String, Value>) {
        if self.invite.is_empty() {
            return;
        }
        let creators = content.entry("additional_creators").or_insert_with(|| json!([]));
        let Some(creators) = creators.as_array_mut() else { return };
        for user in &self.invite {
            let user = json!(user);
            if !creators.contains(&user) {
                creators.push(user);
            }
        }
    }

    /// The state that follows the creator's join and precedes the invites, in the specification's order.
    pub fn state(&self, rules: &AuthorizationRules) -> Vec<StateDraft> {
        let mut state = vec![StateDraft::new("m.room.power_levels", &self.power_levels(rules))];
        let alias = self.canonical_alias.as_ref();
        let implied = alias.map(|alias| ("m.room.canonical_alias", json!({ "alias": alias })));
        let implied = implied.into_iter().chain(self.preset.state());
        state.extend(
            implied
                .filter(|(event_type, _)| !self.initial_state.iter().any(|draft| draft.is(event_type)))
                .map(|(event_type, content)| StateDraft::new(event_type, &content)),
        );
        state.extend(self.initial_state.iter().cloned());
        state.extend(self.name.as_ref().map(|name| StateDraft::new("m.room.name", &json!({ "name": name }))));
        state.extend(self.topic.as_ref().map(|topic| {
            let content = json!({ "topic": topic, "m.topic": { "m.text": [{ "body": topic }] } });
            StateDraft::new("m.room.topic", &content)
        }));
        state
    }
}

impl Preset {
    /// Without what a room has anyway: guests are kept out where nothing lets them in.
    fn state(self) -> Vec<(&'static str, Value)> {
        let join_rule = match self {
            Self::Private | Self::TrustedPrivate => "invite",
            Self::Public => "public",
        };
        let mut state = vec![
            ("m.room.join_rules", json!({ "join_rule": join_rule })),
            ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
        ];
        if self != Self::Public {
            state.push(("m.room.guest_access", json!({ "guest_access": "can_join" })));
        }
        state
    }
}

/// Why an entry of `initial_state` is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an entry of `initial_state` needs a `type` and a `content` that is an object")]
pub struct MalformedInitialState;

impl StateDraft {
    /// Reads an entry of `initial_state`.
    ///
    /// # Errors
    ///
    /// When it lacks a type or content, or they are not what they should be.
    pub fn from_json(entry: &str) -> Result<Self, MalformedInitialState> {
        #[derive(serde::Deserialize)]
        struct Entry<'a> {
            #[serde(rename = "type")]
            event_type: String,
            #[serde(default)]
            state_key: String,
            #[serde(borrow)]
            content: &'a RawValue,
        }
        let entry: Entry<'_> = serde_json::from_str(entry).map_err(|_| MalformedInitialState)?;
        if !entry.content.get().starts_with('{') {
            return Err(MalformedInitialState);
        }
        let content = entry.content.get().to_owned();
        Ok(Self { event_type: entry.event_type, state_key: entry.state_key, content })
    }
}
