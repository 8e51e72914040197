//! Rule 10, and how levels are read.

use super::*;
use crate::json::Value;

impl Room {
    /// A new `m.room.power_levels` by a user of power 50.
    fn change(&self, content: &JsonValue) -> Pdu {
        self.event("m.room.power_levels", Some(""), MODERATOR, content)
    }
}

/// Levels in which the moderator has 50 and may change levels.
fn base(more: &JsonValue) -> JsonValue {
    let mut levels = json!({ "users": { MODERATOR: 50 } });
    for (key, value) in more.as_object().unwrap() {
        levels[key] = value.clone();
    }
    levels
}

fn not_allowed(key: &str) -> Rejection {
    Rejection::PowerLevelsNotAllowed(key.to_owned())
}

#[test]
fn numbers_are_numbers() {
    for room in Room::all() {
        for level in Level::ALL {
            for bad in [json!(null), json!([]), json!({}), json!(true), json!("x"), json!("1.5"), json!("")] {
                let change = room.change(&base(&json!({ level.name(): bad })));
                room.rejects(&change, Rejection::PowerLevelsMalformed(level.name()));
            }
        }
    }
}

#[test]
fn numbers_may_be_strings_before_version_10() {
    for room in Room::all() {
        for number in ["0", " 50 ", "+50", "-3", "00050"] {
            let change = room.change(&base(&json!({ "ban": number, "users": { MODERATOR: number } })));
            if room.number() < 10 {
                assert_ne!(room.check(&change), Err(Rejection::PowerLevelsMalformed("ban")), "{number}");
                assert_ne!(room.check(&change), Err(Rejection::PowerLevelsMalformed("users")), "{number}");
            } else {
                room.rejects(&change, Rejection::PowerLevelsMalformed("ban"));
            }
        }
    }
}

#[test]
fn levels_are_read_as_their_room_version_does() {
    let read = |version: RoomVersionId, text: &str| {
        super::super::power_levels::read_level(Value::new(text), &version.rules().unwrap().authorization)
    };
    for (text, v1, v6, v10) in [
        ("50", Some(50), Some(50), Some(50)),
        ("-50", Some(-50), Some(-50), Some(-50)),
        ("\" +0050 \"", Some(50), Some(50), None),
        ("\"-7\"", Some(-7), Some(-7), None),
        ("\"1_000\"", None, None, None),
        ("\"+-1\"", None, None, None),
        ("\"5.0\"", None, None, None),
        ("50.57", Some(50), None, None),
        ("-0.9", Some(0), None, None),
        ("1e+16", Some(10_000_000_000_000_000), None, None),
        ("1e+300", Some(i64::MAX), None, None),
        ("\"99999999999999999999\"", Some(i64::MAX), Some(i64::MAX), None),
        ("null", None, None, None),
        ("true", None, None, None),
    ] {
        assert_eq!(read(RoomVersionId::V1, text), v1, "{text}");
        assert_eq!(read(RoomVersionId::V6, text), v6, "{text}");
        assert_eq!(read(RoomVersionId::V10, text), v10, "{text}");
    }
}

#[test]
fn objects_are_of_numbers() {
    for room in Room::all() {
        for map in ["events", "notifications", "users"] {
            for bad in [json!(null), json!([]), json!(1), json!({ "@a:b": null }), json!({ "@a:b": "x" })] {
                room.rejects(&room.change(&json!({ map: bad })), Rejection::PowerLevelsMalformed(map));
            }
        }
    }
}

#[test]
fn users_are_user_ids() {
    for room in Room::all() {
        for bad in ["", "user", "@user", "user:a"] {
            let change = room.change(&json!({ "users": { bad: 0 } }));
            room.rejects(&change, Rejection::PowerLevelsMalformed("users"));
        }
    }
}

#[test]
fn creators_are_not_named_since_version_12() {
    let create = json!({ "creator": CREATOR, "additional_creators": [USER] });
    for room in Room::all() {
        let room = room.levels(&base(&json!({}))).with("m.room.create", "", CREATOR, &create);
        for creator in [CREATOR, USER] {
            let change = room.change(&json!({ "users": { MODERATOR: 50, creator: 50 } }));
            if room.number() >= 12 {
                room.rejects(&change, Rejection::PowerLevelsNameCreator);
            } else {
                room.allows(&change);
            }
        }
    }
}

#[test]
fn the_first_power_levels_are_allowed() {
    for room in Room::all() {
        let room = room.without("m.room.power_levels", "");
        let users = if room.number() >= 12 { json!({}) } else { json!({ CREATOR: 1000 }) };
        let levels = json!({ "ban": 1000, "users": users, "events": { "x": 1000 }, "notifications": { "room": 1000 } });
        room.allows(&room.event("m.room.power_levels", Some(""), CREATOR, &levels));
    }
}

#[test]
fn numbers_change_neither_from_nor_to_above_the_sender() {
    for room in Room::all() {
        for level in Level::ALL {
            let name = level.name();
            let from = |old: JsonValue| {
                room.clone().levels(&base(&json!({ name: old, "events": { "m.room.power_levels": 0 } })))
            };
            let to = |new: JsonValue| {
                room.change(&base(&json!({ name: new, "events": { "m.room.power_levels": 0 } })))
            };
            from(json!(0)).allows(&to(json!(50)));
            from(json!(50)).allows(&to(json!(0)));
            from(json!(51)).allows(&to(json!(51)));
            from(json!(0)).rejects(&to(json!(51)), not_allowed(name));
            from(json!(51)).rejects(&to(json!(50)), not_allowed(name));
            let removed = room.change(&base(&json!({ "events": { "m.room.power_levels": 0 } })));
            from(json!(51)).rejects(&removed, not_allowed(name));
            from(json!(50)).allows(&removed);
        }
    }
}

#[test]
fn a_removed_number_stands_for_its_default() {
    for room in Room::all() {
        let room = room.levels(&json!({ "state_default": 10, "users": { MODERATOR: 10 }, "ban": 10 }));
        let removed = room.change(&json!({ "state_default": 10, "users": { MODERATOR: 10 } }));
        room.rejects(&removed, not_allowed("ban"));
    }
}

#[test]
fn events_and_since_version_6_notifications_change_neither_from_nor_to_above_the_sender() {
    for room in Room::all() {
        for map in ["events", "notifications"] {
            let from = |old: JsonValue| room.clone().levels(&base(&json!({ map: old })));
            let to = |new: JsonValue| room.change(&base(&json!({ map: new })));
            let rejects = |from: Room, to: Pdu| {
                if map == "notifications" && room.number() < 6 {
                    from.allows(&to);
                } else {
                    from.rejects(&to, not_allowed("x"));
                }
            };
            from(json!({})).allows(&to(json!({ "x": 50 })));
            from(json!({ "x": 50 })).allows(&to(json!({ "x": 0 })));
            from(json!({ "x": 50 })).allows(&to(json!({})));
            from(json!({ "x": 51 })).allows(&to(json!({ "x": 51 })));
            rejects(from(json!({})), to(json!({ "x": 51 })));
            rejects(from(json!({ "x": 51 })), to(json!({ "x": 50 })));
            rejects(from(json!({ "x": 51 })), to(json!({})));
            rejects(from(json!({ "a": 1, "x": 1, "z": 1 })), to(json!({ "a": 1, "b": 2, "x": 51 })));
        }
    }
}

#[test]
fn users_of_less_power_are_changed_up_to_the_senders_own() {
    for room in Room::all() {
        let from =
            |user: &str, level: i64| room.clone().levels(&json!({ "users": { MODERATOR: 50, user: level } }));
        let to = |user: &str, level: i64| room.change(&json!({ "users": { MODERATOR: 50, user: level } }));
        let without = room.change(&json!({ "users": { MODERATOR: 50 } }));
        from(USER, 0).allows(&to(USER, 50));
        from(USER, 49).allows(&without);
        from(USER, 50).allows(&to(USER, 50));
        from(USER, 0).rejects(&to(USER, 51), not_allowed(USER));
        from(USER, 50).rejects(&to(USER, 49), not_allowed(USER));
        from(USER, 50).rejects(&without, not_allowed(USER));
        from(USER, 51).rejects(&to(USER, 0), not_allowed(USER));
    }
}

#[test]
fn the_sender_may_step_down_but_not_up() {
    for room in Room::all() {
        let room = room.levels(&json!({ "users": { MODERATOR: 50 } }));
        room.allows(&room.change(&json!({ "users": { MODERATOR: 0 } })));
        room.allows(&room.change(&json!({})));
        room.rejects(&room.change(&json!({ "users": { MODERATOR: 51 } })), not_allowed(MODERATOR));
    }
}

#[test]
fn effective_levels_are_those_of_the_event_or_the_defaults() {
    let user = |user: &str| ruma::OwnedUserId::try_from(user).unwrap();
    for room in Room::all() {
        let rules = &room.rules.authorization;
        let create = RoomCreate::new(room.get_pdu("m.room.create", ""));
        let levels = json!({
            "users_default": 1, "events_default": 2, "state_default": 3, "users": { MODERATOR: 60 },
            "events": { "m.room.name": 4 }, "notifications": { "room": 5 }, "redact": 6,
        });
        let event = room.event("m.room.power_levels", Some(""), CREATOR, &levels);
        let levels = PowerLevels::new(rules, create.clone(), Some(Rc::new(event))).unwrap();
        assert_eq!(levels.user(&user(MODERATOR)), Ok(PowerLevel::Int(60)));
        assert_eq!(levels.user(&user(USER)), Ok(PowerLevel::Int(1)));
        assert_eq!(levels.event("m.room.message", false), Ok(PowerLevel::Int(2)));
        assert_eq!(levels.event("m.room.topic", true), Ok(PowerLevel::Int(3)));
        assert_eq!(levels.event("m.room.name", true), Ok(PowerLevel::Int(4)));
        assert_eq!(levels.notification("room"), Ok(PowerLevel::Int(5)));
        assert_eq!(levels.level(Level::Redact), Ok(PowerLevel::Int(6)));
        assert_eq!(levels.level(Level::Ban), Ok(PowerLevel::Int(50)));

        let defaults = PowerLevels::new(rules, create, None).unwrap();
        let creator = if room.number() >= 12 { PowerLevel::Infinite } else { PowerLevel::Int(100) };
        assert_eq!(defaults.user(&user(CREATOR)), Ok(creator));
        assert_eq!(defaults.user(&user(USER)), Ok(PowerLevel::Int(0)));
        assert_eq!(defaults.event("m.room.message", false), Ok(PowerLevel::Int(0)));
        assert_eq!(defaults.event("m.room.name", true), Ok(PowerLevel::Int(50)));
        assert_eq!(defaults.notification("room"), Ok(PowerLevel::Int(50)));
        for level in Level::ALL {
            assert_eq!(defaults.level(level), Ok(PowerLevel::Int(level.default())));
        }
    }
}

#[test]
fn levels_that_cannot_be_read_allow_nothing() {
    for room in Room::all() {
        let message = room.event("m.room.message", None, USER, &json!({}));
        for (map, bad) in
            [("users", json!({ USER: {} })), ("events", json!([])), ("events_default", json!({}))]
        {
            room.clone().levels(&json!({ map: bad })).rejects(&message, Rejection::MalformedPowerLevels(map));
        }
    }
}
