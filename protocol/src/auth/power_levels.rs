//! The effective power levels of a room. [C-S `m.room.power_levels`]

use std::{borrow::Cow, rc::Rc};

use ruma::{UserId, room_version_rules::AuthorizationRules};

use super::{Rejection, RoomCreate};
use crate::{
    event::{Pdu, Span},
    json::{Object, Value},
};

/// The power of a user: since room version 12 that of creators is above every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PowerLevel {
    /// A number.
    Int(i64),
    /// The power of a creator since room version 12.
    Infinite,
}

/// A level that `m.room.power_levels` gives by one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Users who are not named.
    UsersDefault,
    /// Events that are not state and not named.
    EventsDefault,
    /// State events that are not named.
    StateDefault,
    /// To ban.
    Ban,
    /// To redact events of others.
    Redact,
    /// To kick.
    Kick,
    /// To invite.
    Invite,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::UsersDefault,
        Self::EventsDefault,
        Self::StateDefault,
        Self::Ban,
        Self::Redact,
        Self::Kick,
        Self::Invite,
    ];

    /// The property's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::UsersDefault => "users_default",
            Self::EventsDefault => "events_default",
            Self::StateDefault => "state_default",
            Self::Ban => "ban",
            Self::Redact => "redact",
            Self::Kick => "kick",
            Self::Invite => "invite",
        }
    }

    /// The level where the property is absent.
    pub fn default(self) -> i64 {
        match self {
            Self::UsersDefault | Self::EventsDefault | Self::Invite => 0,
            Self::StateDefault | Self::Ban | Self::Redact | Self::Kick => 50,
        }
    }
}

/// The power levels of a room: its `m.room.power_levels`, or the defaults without one, and its creators.
#[derive(Debug, Clone)]
pub struct PowerLevels {
    create: RoomCreate,
    event: Option<Rc<Pdu>>,
    /// Where the values of [`MEMBERS`] stand in the event's content: it can be long, and is asked for more than once.
    members: [Option<Span>; MEMBERS.len()],
    rules: AuthorizationRules,
}

/// The members of `m.room.power_levels` that mean anything.
const MEMBERS: [&str; 10] = [
    "ban",
    "events",
    "events_default",
    "invite",
    "kick",
    "notifications",
    "redact",
    "state_default",
    "users",
    "users_default",
];

impl PowerLevels {
    /// The levels of a room with this `m.room.power_levels`, if any.
    ///
    /// # Errors
    ///
    /// When the create event is malformed.
    pub fn new(
        rules: &AuthorizationRules,
        create: RoomCreate,
        event: Option<Rc<Pdu>>,
    ) -> Result<Self, Rejection> {
        create.creator(rules)?;
        let mut members = [None; MEMBERS.len()];
        if let Some(event) = &event {
            for (key, value) in event.content_object() {
                let found = MEMBERS.iter().zip(&mut members).find(|(name, _)| key.is(name));
                if let Some((_, member)) = found {
                    *member = Span::of(value.text(), event.content_json());
                }
            }
        }
        Ok(Self { create, event, members, rules: rules.clone() })
    }

    /// The power of a user.
    ///
    /// # Errors
    ///
    /// When the power levels in the state are malformed.
    pub fn user(&self, user: &UserId) -> Result<PowerLevel, Rejection> {
        let is_creator = || self.create.is_creator(user, &self.rules);
        if self.rules.explicitly_privilege_room_creators && is_creator()? {
            return Ok(PowerLevel::Infinite);
        }
        if self.event.is_none() {
            return Ok(PowerLevel::Int(if is_creator()? { 100 } else { Level::UsersDefault.default() }));
        }
        let level = match self.entry("users", user.as_str())? {
            Some(level) => level,
            None => self.number(Level::UsersDefault)?,
        };
        Ok(PowerLevel::Int(level))
    }

    /// The power needed to send an event.
    ///
    /// # Errors
    ///
    /// When the power levels in the state are malformed.
    pub fn event(&self, event_type: &str, is_state: bool) -> Result<PowerLevel, Rejection> {
        let level = match self.entry("events", event_type)? {
            Some(level) => level,
            None => self.number(if is_state { Level::StateDefault } else { Level::EventsDefault })?,
        };
        Ok(PowerLevel::Int(level))
    }

    /// The power needed to notify by this key; `room` defaults to 50, and so do keys to come.
    ///
    /// # Errors
    ///
    /// When the power levels in the state are malformed.
    pub fn notification(&self, key: &str) -> Result<PowerLevel, Rejection> {
        Ok(PowerLevel::Int(self.entry("notifications", key)?.unwrap_or(50)))
    }

    /// One of the levels given by a number.
    ///
    /// # Errors
    ///
    /// When the power levels in the state are malformed.
    pub fn level(&self, level: Level) -> Result<PowerLevel, Rejection> {
        self.number(level).map(PowerLevel::Int)
    }

    /// The room's creators, and the rules of its version.
    pub(super) fn create(&self) -> (&RoomCreate, &AuthorizationRules) {
        (&self.create, &self.rules)
    }

    /// The content of the current `m.room.power_levels`.
    pub(super) fn content(&self) -> Option<Object<'_>> {
        self.event.as_ref().map(|event| event.content_object())
    }

    fn member(&self, name: &str) -> Option<Value<'_>> {
        let (_, member) = MEMBERS.iter().zip(&self.members).find(|(member, _)| **member == name)?;
        Some(Value::new(member.as_ref()?.get(self.event.as_ref()?.content_json())))
    }

    fn number(&self, level: Level) -> Result<i64, Rejection> {
        match self.member(level.name()) {
            Some(value) => {
                read_level(value, &self.rules).ok_or(Rejection::MalformedPowerLevels(level.name()))
            }
            None => Ok(level.default()),
        }
    }

    /// A number in one of the objects. Looks at no other: they were checked when the event was.
    fn entry(&self, map: &'static str, key: &str) -> Result<Option<i64>, Rejection> {
        let Some(value) = self.member(map) else {
            return Ok(None);
        };
        let entries = value.as_object().ok_or(Rejection::MalformedPowerLevels(map))?;
        entries
            .get(key)
            .map(|value| read_level(value, &self.rules).ok_or(Rejection::MalformedPowerLevels(map)))
            .transpose()
    }
}

/// A power level: an integer; before room version 10 also a string of one; before version 6 also a float.
pub(super) fn read_level(value: Value<'_>, rules: &AuthorizationRules) -> Option<i64> {
    if let Some(level) = value.as_integer() {
        return Some(level);
    }
    if rules.integer_power_levels {
        return None;
    }
    if let Some(string) = value.as_str() {
        return read_string_level(&string);
    }
    if rules.strict_canonical_json {
        return None;
    }
    // Integers beyond 64 bits and floats: truncated, and the far ends are all alike.
    let double: f64 = value.text().parse().ok().filter(|double: &f64| double.is_finite())?;
    #[expect(clippy::cast_possible_truncation, reason = "truncation is what the room version asks for")]
    Some(double as i64)
}

/// An integer with optional sign, leading zeroes and surrounding white space.
fn read_string_level(string: &str) -> Option<i64> {
    let trimmed = string.trim();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { magnitude.saturating_neg() } else { magnitude })
}

/// The entries of an object of levels, in the order of their keys.
pub(super) type Entries<'a> = Vec<(Cow<'a, str>, i64)>;

/// One of the objects of numbers, read whole. `None` if it is absent.
pub(super) fn read_map<'a>(
    content: Object<'a>,
    map: &'static str,
    rules: &AuthorizationRules,
) -> Result<Option<Entries<'a>>, Rejection> {
    let Some(value) = content.get(map) else {
        return Ok(None);
    };
    let entries = value.as_object().ok_or(Rejection::PowerLevelsMalformed(map))?;
    let entries = entries.into_iter().map(|(key, value)| {
        let level = read_level(value, rules).ok_or(Rejection::PowerLevelsMalformed(map))?;
        Ok((key.name(), level))
    });
    entries.collect::<Result<_, _>>().map(Some)
}
