//! A room is replaced: the user's settings follow `[C-S §11.32]`.

use ruma::{
    RoomId,
    push::{NewPushRule, NewSimplePushRule, RuleKind},
};
use serde_json::{Map, Value};

use super::UserEngine;
use crate::matrix_error::MatrixError;

/// The types of room account data that follow.
const FOLLOWING: [&str; 1] = ["m.tag"];

impl UserEngine {
    /// Gives the new room the tags, push rules and directness of the old one, where it has none.
    pub(super) fn follow_upgrade(&self, old: &RoomId, new: &RoomId) -> Result<(), MatrixError> {
        for kind in FOLLOWING {
            if self.account_data(new.as_str(), kind)?.is_none()
                && let Some(content) = self.account_data(old.as_str(), kind)?
            {
                self.store_account_data(new.as_str(), kind, &content)?;
            }
        }
        self.follow_with_push_rules(old, new)?;
        self.follow_with_directness(old, new)
    }

    fn follow_with_push_rules(&self, old: &RoomId, new: &RoomId) -> Result<(), MatrixError> {
        let mut rules = self.push_rules()?;
        if rules.get(RuleKind::Room, new.as_str()).is_some() {
            return Ok(());
        }
        let Some(rule) = rules.room.iter().find(|rule| rule.rule_id == old).cloned() else {
            return Ok(());
        };
        let copy = NewPushRule::Room(NewSimplePushRule::new(new.to_owned(), rule.actions));
        if rules.insert(copy, None, None).is_err() {
            return Ok(());
        }
        // A rule that cannot be switched off again stays on.
        let _ = rules.set_enabled(RuleKind::Room, new.as_str(), rule.enabled);
        self.store_push_rules(rules)
    }

    /// `m.direct` names the new room wherever it names the old one.
    fn follow_with_directness(&self, old: &RoomId, new: &RoomId) -> Result<(), MatrixError> {
        let Some(content) = self.account_data("", "m.direct")? else { return Ok(()) };
        let Ok(mut direct) = serde_json::from_str::<Map<String, Value>>(&content) else { return Ok(()) };
        let (old, new) = (Value::from(old.as_str()), Value::from(new.as_str()));
        let mut is_changed = false;
        for rooms in direct.values_mut().filter_map(Value::as_array_mut) {
            if rooms.contains(&old) && !rooms.contains(&new) {
                rooms.push(new.clone());
                is_changed = true;
            }
        }
        if is_changed {
            self.store_account_data("", "m.direct", &Value::Object(direct).to_string())?;
        }
        Ok(())
    }
}
