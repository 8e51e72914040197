//! Push rules: whether an event is one that a user wants to be told of. [C-S §11.13, push rules]

mod pattern;

use std::ops::RangeBounds;

use ruma::{
    UserId,
    events::AnySyncTimelineEvent,
    power_levels::NotificationPowerLevelsKey,
    push::{
        Action, AnyPushRuleRef, FlattenedJson, FlattenedJsonValue, PushCondition, PushConditionRoomCtx,
        Ruleset,
    },
    serde::Raw,
};
use serde_json::value::RawValue;

use self::pattern::{contains_name, matches_whole, matches_words};
use crate::{auth::PowerLevels, event::Pdu};

/// What an event is to a user who has not read it.
#[derive(Debug, Clone)]
pub struct Notification {
    /// What the rule says is to be done.
    pub actions: Vec<Action>,
    /// Whether it is of special interest, such as a mention of the user.
    pub is_highlight: bool,
}

/// What rules are held against besides the event.
pub struct Room {
    /// The room and the user in it. Of its power levels nothing is asked.
    pub context: PushConditionRoomCtx,
    /// Who may notify the whole room; `None` for nobody.
    pub levels: Option<PowerLevels>,
}

impl Room {
    /// Whether someone has the power to notify by this key.
    fn lets_notify(&self, sender: &UserId, key: &NotificationPowerLevelsKey) -> bool {
        let Some(levels) = self.levels.as_ref().filter(|_| *key == NotificationPowerLevelsKey::Room) else {
            return false;
        };
        let needed = levels.notification(key.as_str());
        levels.user(sender).is_ok_and(|power| needed.is_ok_and(|needed| power >= needed))
    }
}

/// What a user's rules say of an event: `None` when the user is not to be told, as of their own events.
pub fn evaluate(rules: &Ruleset, event: &Pdu, room: &Room) -> Option<Notification> {
    if event.sender() == room.context.user_id {
        return None;
    }
    let json: Box<RawValue> = serde_json::from_str(event.json()).ok()?;
    let event = FlattenedJson::from_raw(&Raw::<AnySyncTimelineEvent>::from_json(json));
    let rule = rules.iter().find(|rule| rule.enabled() && applies(*rule, &event, room))?;
    rule.triggers_notification()
        .then(|| Notification { actions: rule.actions().to_vec(), is_highlight: rule.triggers_highlight() })
}

/// The rules that look for a name in the text. An event that says itself whom it mentions is none for them.
const LEGACY_MENTIONS: [&str; 3] =
    [".m.rule.contains_display_name", ".m.rule.roomnotif", ".m.rule.contains_user_name"];

fn applies(rule: AnyPushRuleRef<'_>, event: &FlattenedJson, room: &Room) -> bool {
    if LEGACY_MENTIONS.contains(&rule.rule_id()) && event.contains_mentions() {
        return false;
    }
    match rule {
        AnyPushRuleRef::Override(rule) | AnyPushRuleRef::Underride(rule) => {
            rule.conditions.iter().all(|condition| holds(condition, event, room))
        }
        AnyPushRuleRef::Content(rule) => is_match("content.body", &rule.pattern, event, room),
        AnyPushRuleRef::Room(rule) => rule.rule_id == room.context.room_id,
        AnyPushRuleRef::Sender(rule) => event.get_str("sender") == Some(rule.rule_id.as_str()),
        _ => false,
    }
}

/// Whether the condition holds; one of a kind that is not known never does.
fn holds(condition: &PushCondition, event: &FlattenedJson, room: &Room) -> bool {
    match condition {
        PushCondition::EventMatch(data) => is_match(&data.key, &data.pattern, event, room),
        PushCondition::RoomMemberCount(data) => data.is.contains(&room.context.member_count),
        PushCondition::SenderNotificationPermission(data) => {
            let sender = event.get_str("sender").and_then(|sender| <&UserId>::try_from(sender).ok());
            sender.is_some_and(|sender| room.lets_notify(sender, &data.key))
        }
        PushCondition::EventPropertyIs(data) => {
            event.get(&data.key).is_some_and(|value| *value == data.value)
        }
        PushCondition::EventPropertyContains(data) => {
            let values = event.get(&data.key).and_then(FlattenedJsonValue::as_array);
            values.is_some_and(|values| values.contains(&data.value))
        }
        #[expect(deprecated, reason = "rules that users made before are still followed")]
        PushCondition::ContainsDisplayName => {
            let name = &room.context.user_display_name;
            !name.is_empty() && event.get_str("content.body").is_some_and(|body| contains_name(name, body))
        }
        _ => false,
    }
}

fn is_match(key: &str, pattern: &str, event: &FlattenedJson, room: &Room) -> bool {
    let value = if key == "room_id" { Some(room.context.room_id.as_str()) } else { event.get_str(key) };
    let matches = if key == "content.body" { matches_words } else { matches_whole };
    value.is_some_and(|value| matches(pattern, value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        pin::pin,
        rc::Rc,
        task::{Context, Poll, Waker},
    };

    use proptest::prelude::*;
    use ruma::{
        events::room::power_levels::{RoomPowerLevels, RoomPowerLevelsSource},
        room_id,
        room_version_rules::RoomVersionRules,
        user_id,
    };
    use serde_json::json;

    use super::*;
    use crate::auth::RoomCreate;

    fn event(sender: &str, event_type: &str, content: &str) -> Pdu {
        let json = format!(
            r#"{{"auth_events":[],"content":{content},"depth":1,"hashes":{{"sha256":""}},"origin_server_ts":1,"prev_events":[],"room_id":"!r:a.test","sender":"{sender}","type":"{event_type}"}}"#
        );
        Pdu::from_stored(ruma::event_id!("$event").to_owned(), json).unwrap()
    }

    /// A room that the administrator created, as Alice sees it. Also as ruma does.
    fn room(members: u32, name: &str) -> Room {
        let alice = user_id!("@alice:a.test").to_owned();
        let room_id = room_id!("!r:a.test").to_owned();
        let rules = &RoomVersionRules::V12.authorization;
        let mut context = PushConditionRoomCtx::new(room_id, members.into(), alice, name.to_owned());
        let creators = vec![user_id!("@admin:a.test").to_owned()];
        context.power_levels =
            Some(RoomPowerLevels::new(RoomPowerLevelsSource::None, rules, creators).into());
        let create = RoomCreate::new(Rc::new(event("@admin:a.test", "m.room.create", "{}")));
        Room { context, levels: Some(PowerLevels::new(rules, create, None).unwrap()) }
    }

    fn outcome(event: &Pdu, members: u32) -> Option<bool> {
        let alice = user_id!("@alice:a.test");
        let room = room(members, "Alice");
        evaluate(&Ruleset::server_default(alice), event, &room).map(|notification| notification.is_highlight)
    }

    #[test]
    fn the_default_rules_tell_of_messages_and_highlight_mentions() {
        let bob = "@bob:a.test";
        let message = event(bob, "m.room.message", r#"{"body":"hi","msgtype":"m.text"}"#);
        assert_eq!(outcome(&message, 10), Some(false));
        let mention = event(
            bob,
            "m.room.message",
            r#"{"body":"hi","m.mentions":{"user_ids":["@alice:a.test"]},"msgtype":"m.text"}"#,
        );
        assert_eq!(outcome(&mention, 10), Some(true));
        assert_eq!(outcome(&event("@alice:a.test", "m.room.message", r#"{"body":"own"}"#), 10), None);
        assert_eq!(outcome(&event(bob, "m.room.message", r#"{"body":"x","msgtype":"m.notice"}"#), 10), None);
        assert_eq!(outcome(&event(bob, "m.reaction", "{}"), 10), None);
        assert_eq!(outcome(&event(bob, "m.room.encrypted", "{}"), 2), Some(false));
    }

    #[test]
    fn only_who_has_the_power_mentions_the_room() {
        let content = r#"{"body":"all","m.mentions":{"room":true},"msgtype":"m.text"}"#;
        assert_eq!(outcome(&event("@bob:a.test", "m.room.message", content), 10), Some(false));
        assert_eq!(outcome(&event("@admin:a.test", "m.room.message", content), 10), Some(true));
    }

    /// What ruma says, which answers the same question by regular expressions.
    fn oracle(rules: &Ruleset, event: &Pdu, room: &PushConditionRoomCtx) -> Option<Vec<Action>> {
        let event = Raw::<AnySyncTimelineEvent>::from_json(serde_json::from_str(event.json()).unwrap());
        let matching = pin!(rules.get_match(&event, room));
        let Poll::Ready(rule) = matching.poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
        let rule = rule.filter(|rule| rule.triggers_notification())?;
        Some(rule.actions().to_vec())
    }

    /// In ASCII alone: ruma sees the boundaries of words between the bytes of other characters.
    fn text() -> impl Strategy<Value = String> {
        "[abA_. *?@-]{0,8}"
    }

    /// Without two wildcards side by side, of which ruma takes the second for itself.
    fn pattern() -> impl Strategy<Value = String> {
        "[*?]?([abA_. @-]{1,2}[*?]?){0,3}"
    }

    fn condition() -> impl Strategy<Value = serde_json::Value> {
        let key =
            || prop_oneof![Just("content.body"), Just("content.other"), Just("room_id"), Just("content.l")];
        let value = || prop_oneof![text().prop_map(|text| json!(text)), (0..3).prop_map(|n| json!(n))];
        prop_oneof![
            (key(), pattern())
                .prop_map(|(key, pattern)| json!({"kind": "event_match", "key": key, "pattern": pattern})),
            (key(), value())
                .prop_map(|(key, value)| json!({"kind": "event_property_is", "key": key, "value": value})),
            (key(), value()).prop_map(
                |(key, value)| json!({"kind": "event_property_contains", "key": key, "value": value})
            ),
            "(==|<|>|<=|>=)?[1-4]".prop_map(|is| json!({"kind": "room_member_count", "is": is})),
            Just(json!({"kind": "sender_notification_permission", "key": "room"})),
            Just(json!({"kind": "of the future"})),
        ]
    }

    fn conditional(id: &'static str) -> impl Strategy<Value = serde_json::Value> {
        (any::<bool>(), prop::collection::vec(condition(), 0..3)).prop_map(move |(enabled, conditions)| {
            json!({"rule_id": id, "default": false, "enabled": enabled, "conditions": conditions,
                "actions": ["notify", {"set_tweak": "sound", "value": id}]})
        })
    }

    fn ruleset() -> impl Strategy<Value = Ruleset> {
        let over = (conditional("o1"), conditional(".m.rule.roomnotif"));
        let rest = (pattern(), any::<bool>(), any::<bool>(), conditional("u1"));
        (over, rest).prop_map(|((first, second), (pattern, room, sender, under))| {
            serde_json::from_value(json!({
                "override": [first, second],
                "content": [{"rule_id": "c1", "default": false, "enabled": true, "pattern": pattern,
                    "actions": ["notify", {"set_tweak": "highlight"}]}],
                "room": [{"rule_id": "!r:a.test", "default": false, "enabled": room, "actions": ["notify"]}],
                "sender": [{"rule_id": "@bob:a.test", "default": false, "enabled": sender, "actions": []}],
                "underride": [under],
            }))
            .unwrap()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_rule_that_applies_is_the_one_that_ruma_finds(
            rules in ruleset(), body in text(), other in text(), list in prop::collection::vec(0..3, 0..3),
            mentions: bool, admin: bool, members in 1_u32..5
        ) {
            let mut content = json!({"body": body, "other": other, "l": list});
            if mentions {
                content["m.mentions"] = json!({});
            }
            let event = event(if admin { "@admin:a.test" } else { "@bob:a.test" }, "m.room.message", &content.to_string());
            let room = room(members, "a");
            let ours = evaluate(&rules, &event, &room).map(|notification| json!(notification.actions));
            prop_assert_eq!(ours, oracle(&rules, &event, &room.context).map(|actions| json!(actions)));
        }
    }
}
