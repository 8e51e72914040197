//! Push rules.

use ruma::push::{
    Action, NewConditionalPushRule, NewPatternedPushRule, NewPushRule, NewSimplePushRule, PushCondition,
    RuleKind, Ruleset,
};
use serde::{Deserialize, Serialize};

use crate::{
    command,
    rpc::{AsJson, as_json},
};

/// The user's push rules, those of the server among them.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetPushRules {}
command!(GetPushRules to User -> AsJson<Ruleset>);

/// Changes a push rule. `M_NOT_FOUND`, `M_INVALID_PARAM`, `M_UNKNOWN`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ChangePushRule {
    /// The rule's kind.
    pub kind: RuleKind,
    /// Its id among its kind.
    pub rule_id: String,
    /// What to do.
    pub change: PushRuleChange,
}
command!(ChangePushRule to User -> ());

/// A change of a push rule.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushRuleChange {
    /// Makes it, or replaces what it says.
    Put(PushRuleBody),
    /// Removes it.
    Delete,
    /// Turns it on or off.
    Enable(bool),
    /// Sets what it does.
    Act(#[serde(with = "as_json")] Vec<Action>),
}

/// What a rule made by a client says, and where it stands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct PushRuleBody {
    /// What it does.
    #[serde(with = "as_json")]
    pub actions: Vec<Action>,
    /// When, for kinds that say so.
    #[serde(with = "as_json")]
    pub conditions: Vec<PushCondition>,
    /// The words it looks for, for rules about content.
    pub pattern: String,
    /// The rule that it comes right before.
    pub before: Option<String>,
    /// The rule that it comes right after.
    pub after: Option<String>,
}

impl ChangePushRule {
    /// The change that makes `rule`, or replaces what it says.
    pub fn put(rule: NewPushRule, before: Option<String>, after: Option<String>) -> Self {
        let (kind, rule_id) = (rule.kind(), rule.rule_id().to_owned());
        let mut body = PushRuleBody { before, after, ..PushRuleBody::default() };
        match rule {
            NewPushRule::Override(rule) | NewPushRule::Underride(rule) => {
                (body.actions, body.conditions) = (rule.actions, rule.conditions);
            }
            NewPushRule::Content(rule) => (body.actions, body.pattern) = (rule.actions, rule.pattern),
            NewPushRule::Room(rule) => body.actions = rule.actions,
            NewPushRule::Sender(rule) => body.actions = rule.actions,
            _ => {}
        }
        Self { kind, rule_id, change: PushRuleChange::Put(body) }
    }
}

impl PushRuleBody {
    /// The rule of this kind and id; `None` when there can be none.
    pub fn into_rule(self, kind: &RuleKind, rule_id: String) -> Option<NewPushRule> {
        let conditional =
            |body: Self, rule_id: String| NewConditionalPushRule::new(rule_id, body.conditions, body.actions);
        Some(match kind {
            RuleKind::Override => NewPushRule::Override(conditional(self, rule_id)),
            RuleKind::Underride => NewPushRule::Underride(conditional(self, rule_id)),
            RuleKind::Content => {
                NewPushRule::Content(NewPatternedPushRule::new(rule_id, self.pattern, self.actions))
            }
            RuleKind::Room => {
                NewPushRule::Room(NewSimplePushRule::new(rule_id.try_into().ok()?, self.actions))
            }
            RuleKind::Sender => {
                NewPushRule::Sender(NewSimplePushRule::new(rule_id.try_into().ok()?, self.actions))
            }
            _ => return None,
        })
    }
}
