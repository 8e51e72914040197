//! Rule 10: who may change which power level.

use std::cmp::Ordering;

use ruma::UserId;

use super::{
    Level, PowerLevel, PowerLevels, Rejection,
    power_levels::{Entries, read_level, read_map},
};
use crate::{event::Pdu, json::Object};

/// Checks an `m.room.power_levels` against the current one.
pub(super) fn check(current: &PowerLevels, event: &Pdu, sender_power: PowerLevel) -> Result<(), Rejection> {
    let (create, rules) = current.create();
    let content = event.content_object();

    // 10.1. The numbers are numbers.
    for level in Level::ALL {
        if content.get(level.name()).is_some_and(|value| read_level(value, rules).is_none()) {
            return Err(Rejection::PowerLevelsMalformed(level.name()));
        }
    }
    // 10.2. The objects are of numbers.
    let events = read_map(content, "events", rules)?.unwrap_or_default();
    let notifications = read_map(content, "notifications", rules)?.unwrap_or_default();
    // 10.3. The users are user ids with numbers.
    let users = read_map(content, "users", rules)?.unwrap_or_default();
    if users.iter().any(|(user, _)| <&UserId>::try_from(&**user).is_err()) {
        return Err(Rejection::PowerLevelsMalformed("users"));
    }
    // 10.4. Since room version 12, creators are not named.
    if rules.explicitly_privilege_room_creators {
        let creators = create.creators(rules)?;
        if users.iter().any(|(user, _)| creators.iter().any(|creator| creator.as_str() == user)) {
            return Err(Rejection::PowerLevelsNameCreator);
        }
    }
    // 10.5. The first are allowed.
    let Some(old) = current.content() else {
        return Ok(());
    };
    // 10.6. Numbers: neither from nor to above the sender's own.
    check_numbers(current, old, content, sender_power)?;

    let above_sender = |_: &str, old: i64| PowerLevel::Int(old) > sender_power;
    // 10.7 and 10.8. The same for events, and since room version 6 for notifications.
    let old_events = read_map(old, "events", rules)?.unwrap_or_default();
    check_entries(&old_events, &events, sender_power, above_sender)?;
    if rules.limit_notifications_power_levels {
        let old_notifications = read_map(old, "notifications", rules)?.unwrap_or_default();
        check_entries(&old_notifications, &notifications, sender_power, above_sender)?;
    }
    // 10.9 and 10.10. Other users must be below the sender before, and not above after.
    let old_users = read_map(old, "users", rules)?.unwrap_or_default();
    check_entries(&old_users, &users, sender_power, |user, old| {
        user != event.sender().as_str() && PowerLevel::Int(old) >= sender_power
    })
    // 10.11. Otherwise, allow.
}

fn check_numbers(
    current: &PowerLevels,
    old: Object<'_>,
    new: Object<'_>,
    sender_power: PowerLevel,
) -> Result<(), Rejection> {
    let (_, rules) = current.create();
    for level in Level::ALL {
        let read = |content: Object<'_>| match content.get(level.name()) {
            Some(value) => {
                read_level(value, rules).map(Some).ok_or(Rejection::MalformedPowerLevels(level.name()))
            }
            None => Ok(None),
        };
        let (old, new) = (read(old)?, read(new)?);
        let above = |value: Option<i64>| PowerLevel::Int(value.unwrap_or(level.default())) > sender_power;
        if old != new && (above(old) || above(new)) {
            return Err(Rejection::PowerLevelsNotAllowed(level.name().to_owned()));
        }
    }
    Ok(())
}

/// Walks both objects, which are sorted, and checks every entry that was added, changed or removed.
fn check_entries(
    old: &Entries<'_>,
    new: &Entries<'_>,
    sender_power: PowerLevel,
    protected: impl Fn(&str, i64) -> bool,
) -> Result<(), Rejection> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        let old_entry = if order.is_le() { old.next() } else { None };
        let new_entry = if order.is_ge() { new.next() } else { None };
        let (old_level, new_level) = (old_entry.map(|(_, level)| *level), new_entry.map(|(_, level)| *level));
        if old_level == new_level {
            continue;
        }
        let key = old_entry.or(new_entry).map(|(key, _)| &**key).unwrap_or_default();
        if old_level.is_some_and(|level| protected(key, level))
            || new_level.is_some_and(|level| PowerLevel::Int(level) > sender_power)
        {
            return Err(Rejection::PowerLevelsNotAllowed(key.to_owned()));
        }
    }
}
