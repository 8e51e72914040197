//! The power levels of a new room.

use ruma::room_version_rules::AuthorizationRules;
use serde_json::{Value, json};

use super::{Preset, RoomCreation};

impl RoomCreation {
    /// The content of the first `m.room.power_levels`.
    pub(super) fn power_levels(&self, rules: &AuthorizationRules) -> Value {
        // The power to replace a room is above that to change its state, where creators are above all numbers.
        let (users, tombstone) = if rules.explicitly_privilege_room_creators {
            (json!({}), 150)
        } else {
            (self.numbered_users(), 100)
        };
        let invite = if self.preset == Preset::Public { 50 } else { 0 };
        let mut content = json!({
            "users": users,
            "users_default": 0,
            "events": {
                "m.room.name": 50,
                "m.room.avatar": 50,
                "m.room.canonical_alias": 50,
                "m.room.power_levels": 100,
                "m.room.history_visibility": 100,
                "m.room.encryption": 100,
                "m.room.server_acl": 100,
                "m.room.tombstone": tombstone,
            },
            "events_default": 0,
            "state_default": 50,
            "ban": 50,
            "kick": 50,
            "redact": 50,
            "invite": invite,
        });
        if let Some(members) = content.as_object_mut() {
            members.extend(self.power_level_content_override.clone());
        }
        content
    }

    /// The creator, and in a trusted room the invitees, at the top.
    fn numbered_users(&self) -> Value {
        let mut users = json!({});
        if let Some(members) = users.as_object_mut() {
            members.insert(self.creator.to_string(), json!(100));
            if self.preset == Preset::TrustedPrivate {
                members.extend(self.invite.iter().map(|user| (user.to_string(), json!(100))));
            }
        }
        users
    }
}
