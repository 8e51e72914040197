//! Push rules: whether an event is one that a user wants to be told of. [C-S §11.13, push rules]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use ruma::{
    OwnedUserId,
    events::{
        AnySyncTimelineEvent,
        room::power_levels::{RoomPowerLevels, RoomPowerLevelsEventContent, RoomPowerLevelsSource},
    },
    push::{Action, PushConditionPowerLevelsCtx, PushConditionRoomCtx, Ruleset},
    room_version_rules::AuthorizationRules,
    serde::Raw,
};
use serde_json::value::RawValue;

use crate::event::Pdu;

/// What an event is to a user who has not read it.
#[derive(Debug, Clone)]
pub struct Notification {
    /// What the rule says is to be done.
    pub actions: Vec<Action>,
    /// Whether it is of special interest, such as a mention of the user.
    pub is_highlight: bool,
}

/// What a user's rules say of an event: `None` when the user is not to be told, as of their own events.
pub fn evaluate(rules: &Ruleset, event: &Pdu, room: &PushConditionRoomCtx) -> Option<Notification> {
    let json: Box<RawValue> = serde_json::from_str(event.json()).ok()?;
    let event = Raw::<AnySyncTimelineEvent>::from_json(json);
    // Nothing in it waits for anything.
    let matching = pin!(rules.get_match(&event, room));
    let Poll::Ready(rule) = matching.poll(&mut Context::from_waker(Waker::noop())) else { return None };
    let rule = rule?;
    rule.triggers_notification()
        .then(|| Notification { actions: rule.actions().to_vec(), is_highlight: rule.triggers_highlight() })
}

/// What rules need to know of who may notify the whole room.
pub fn power_levels(
    event: Option<&Pdu>,
    rules: &AuthorizationRules,
    creators: Vec<OwnedUserId>,
) -> PushConditionPowerLevelsCtx {
    let content = event.and_then(|event| event.content_as::<RoomPowerLevelsEventContent>().ok());
    RoomPowerLevels::new(RoomPowerLevelsSource::from(content), rules, creators).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use ruma::{room_id, room_version_rules::RoomVersionRules, user_id};

    use super::*;

    fn event(sender: &str, event_type: &str, content: &str) -> Pdu {
        let json = format!(
            r#"{{"auth_events":[],"content":{content},"depth":1,"hashes":{{"sha256":""}},"origin_server_ts":1,"prev_events":[],"room_id":"!r:a.test","sender":"{sender}","type":"{event_type}"}}"#
        );
        Pdu::from_stored(ruma::event_id!("$event").to_owned(), json).unwrap()
    }

    fn outcome(event: &Pdu, members: u32) -> Option<bool> {
        let alice = user_id!("@alice:a.test");
        let mut room = PushConditionRoomCtx::new(
            room_id!("!r:a.test").to_owned(),
            members.into(),
            alice.to_owned(),
            "Alice".to_owned(),
        );
        let creators = vec![user_id!("@admin:a.test").to_owned()];
        room.power_levels = Some(power_levels(None, &RoomVersionRules::V12.authorization, creators));
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
}
