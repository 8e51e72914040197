//! Push rules `[C-S §11.13]`. They are kept as account data of the type `m.push_rules`, as clients see
//! them; until a user changes any, there is nothing to keep.

use ruma::push::{InsertPushRuleError, RemovePushRuleError, RuleKind, RuleNotFoundError, Ruleset};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::UserEngine;
use crate::{
    matrix_error::MatrixError,
    rpc::{
        AsJson,
        user::{ChangePushRule, GetPushRules, PushRuleBody, PushRuleChange},
    },
};

/// The type of account data that holds them.
pub(super) const PUSH_RULES: &str = "m.push_rules";
/// How many rules a user may have made.
const MAX_RULES: usize = 1_000;
/// The longest id of a rule, in bytes.
const MAX_RULE_ID: usize = 255;
/// The longest that a rule says when it applies, and what is to be done then, in bytes of JSON. Each event is held against it.
const MAX_RULE: usize = 4_096;

#[derive(Serialize, Deserialize)]
struct Content {
    global: Ruleset,
}

fn unknown_rule() -> MatrixError {
    MatrixError::not_found("No such push rule")
}

impl UserEngine {
    pub(super) fn get_push_rules(&self, _: GetPushRules) -> Result<AsJson<Ruleset>, MatrixError> {
        self.push_rules().map(AsJson)
    }

    /// The stored content; `None` when the user has changed no rule.
    pub(super) fn changed_push_rules(&self) -> Result<Option<Box<RawValue>>, MatrixError> {
        let content = self.account_data("", PUSH_RULES)?;
        Ok(content.map(RawValue::from_string).transpose()?)
    }

    /// The user's rules, with the server's of this build among them.
    pub(super) fn push_rules(&self) -> Result<Ruleset, MatrixError> {
        let defaults = Ruleset::server_default(&self.user_id()?);
        let Some(content) = self.account_data("", PUSH_RULES)? else { return Ok(defaults) };
        let mut rules = serde_json::from_str::<Content>(&content)?.global;
        rules.update_with_server_default(defaults);
        Ok(rules)
    }

    /// The content of the account data that clients see.
    pub(super) fn push_rules_content(&self) -> Result<String, MatrixError> {
        Ok(serde_json::to_string(&Content { global: self.push_rules()? })?)
    }

    pub(super) fn store_push_rules(&self, rules: Ruleset) -> Result<(), MatrixError> {
        self.store_account_data("", PUSH_RULES, &serde_json::to_string(&Content { global: rules })?)
    }

    pub(super) fn change_push_rule(&self, command: ChangePushRule) -> Result<(), MatrixError> {
        let ChangePushRule { kind, rule_id, change } = command;
        let mut rules = self.push_rules()?;
        let not_found = |_: RuleNotFoundError| unknown_rule();
        match change {
            PushRuleChange::Put(body) => {
                check_room_for(&rules, &kind, &rule_id)?;
                if serde_json::to_string(&body)?.len() > MAX_RULE {
                    let text = format!("What a push rule says has at most {MAX_RULE} bytes");
                    return Err(MatrixError::invalid_param(text));
                }
                put(&mut rules, kind, rule_id, body)?;
            }
            PushRuleChange::Delete => rules.remove(kind, &rule_id).map_err(not_removed)?,
            PushRuleChange::Enable(enabled) => {
                rules.set_enabled(kind, &rule_id, enabled).map_err(not_found)?;
            }
            PushRuleChange::Act(actions) => rules.set_actions(kind, &rule_id, actions).map_err(not_found)?,
        }
        self.store_push_rules(rules)
    }
}

/// Makes a rule, or replaces what it says. One that is to stand elsewhere is taken out first, for ruma finds its new place
/// among the others only.
fn put(
    rules: &mut Ruleset,
    kind: RuleKind,
    rule_id: String,
    mut body: PushRuleBody,
) -> Result<(), MatrixError> {
    let (before, after) = (body.before.take(), body.after.take());
    // Where both are given, `before` says it.
    let after = after.filter(|_| before.is_none());
    let beside = before.as_ref().or(after.as_ref());
    if beside == Some(&rule_id) {
        return Err(MatrixError::bad_request("A push rule does not stand beside itself"));
    }
    let is_off = rules.get(kind.clone(), &rule_id).is_some_and(|rule| !rule.enabled());
    if beside.is_some() && rules.get(kind.clone(), &rule_id).is_some() {
        rules.remove(kind.clone(), &rule_id).map_err(not_removed)?;
    }
    let rule = body.into_rule(&kind, rule_id.clone());
    let rule = rule.ok_or_else(|| MatrixError::invalid_param("No such kind of push rule"))?;
    rules.insert(rule, after.as_deref(), before.as_deref()).map_err(not_inserted)?;
    if is_off {
        rules.set_enabled(kind, &rule_id, false).map_err(|_| unknown_rule())?;
    }
    Ok(())
}

fn check_room_for(rules: &Ruleset, kind: &RuleKind, rule_id: &str) -> Result<(), MatrixError> {
    if rule_id.is_empty() || rule_id.len() > MAX_RULE_ID {
        let text = format!("The id of a push rule has 1 to {MAX_RULE_ID} bytes");
        return Err(MatrixError::invalid_param(text));
    }
    if rules.get(kind.clone(), rule_id).is_none() && rules.iter().count() >= MAX_RULES {
        return Err(MatrixError::bad_request(format!("A user has at most {MAX_RULES} push rules")));
    }
    Ok(())
}

fn not_inserted(error: InsertPushRuleError) -> MatrixError {
    match error {
        InsertPushRuleError::UnknownRuleId => MatrixError::bad_request(error.to_string()),
        _ => MatrixError::invalid_param(error.to_string()),
    }
}

fn not_removed(error: RemovePushRuleError) -> MatrixError {
    match error {
        RemovePushRuleError::NotFound => unknown_rule(),
        _ => MatrixError::invalid_param(error.to_string()),
    }
}
