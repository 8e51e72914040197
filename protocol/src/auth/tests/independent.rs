//! Rules 1 to 3.

use super::*;

fn create_parts(room: &Room, content: &JsonValue) -> JsonValue {
    let mut parts = room.parts("m.room.create", CREATOR, content);
    parts["state_key"] = "".into();
    parts
}

fn check_new(room: &Room, parts: &JsonValue) -> Result<(), Rejection> {
    check_state_independent(&room.rules.authorization, &pdu(parts), &[], None)
}

#[test]
fn a_create_event_comes_first() {
    for room in Room::all() {
        let mut parts = create_parts(&room, &json!({ "creator": CREATOR }));
        assert_eq!(check_new(&room, &parts), Ok(()), "{}", room.version);
        parts["prev_events"] = json!(["$a"]);
        assert_eq!(check_new(&room, &parts), Err(Rejection::CreateHasPrevEvents));
    }
}

#[test]
fn a_state_key_or_type_of_too_many_bytes_is_rejected() {
    for room in Room::all() {
        for (name, rejection) in [("state_key", "state_key"), ("type", "type")] {
            let mut parts = room.parts("m.test", CREATOR, &json!({}));
            parts[name] = "\u{1f4a5}".repeat(64).into();
            assert_eq!(check_new(&room, &parts), Err(Rejection::TooLong(rejection)), "{}", room.version);
        }
    }
}

#[test]
fn a_create_event_has_the_senders_domain_before_version_12_and_no_room_id_since() {
    for room in Room::all() {
        let mut parts = create_parts(&room, &json!({ "creator": CREATOR }));
        parts["room_id"] = "!create:b".into();
        let rejection =
            if room.number() >= 12 { Rejection::CreateHasRoomId } else { Rejection::CreateWrongDomain };
        assert_eq!(check_new(&room, &parts), Err(rejection), "{}", room.version);
    }
}

#[test]
fn a_create_event_names_a_version_that_is_known() {
    for room in Room::all() {
        for (version, ok) in
            [(json!("1"), true), (json!("12"), true), (json!("x.y"), false), (json!(1), false)]
        {
            let parts = create_parts(&room, &json!({ "creator": CREATOR, "room_version": version }));
            let expected = if ok { Ok(()) } else { Err(Rejection::CreateUnknownVersion) };
            assert_eq!(check_new(&room, &parts), expected, "{version}");
        }
    }
}

#[test]
fn a_create_event_names_the_creator_before_version_11() {
    for room in Room::all() {
        let expected = if room.number() >= 11 { Ok(()) } else { Err(Rejection::CreateWithoutCreator) };
        assert_eq!(check_new(&room, &create_parts(&room, &json!({}))), expected, "{}", room.version);
    }
}

#[test]
fn additional_creators_are_user_ids_since_version_12() {
    for room in Room::all() {
        for bad in [json!(null), json!("@a:b"), json!([1]), json!(["a"]), json!(["@a:b", "@c"])] {
            let parts = create_parts(&room, &json!({ "creator": CREATOR, "additional_creators": bad }));
            let expected =
                if room.number() >= 12 { Err(Rejection::CreateBadAdditionalCreators) } else { Ok(()) };
            assert_eq!(check_new(&room, &parts), expected, "{} {bad}", room.version);
        }
        let parts = create_parts(&room, &json!({ "creator": CREATOR, "additional_creators": ["@a:b"] }));
        assert_eq!(check_new(&room, &parts), Ok(()));
    }
}

/// A message by [`USER`] with these auth events, checked with them and the room's create event.
fn check_message(room: &Room, auth: &[(&Pdu, bool)]) -> Result<(), Rejection> {
    let mut parts = room.parts("m.room.message", USER, &json!({}));
    parts["auth_events"] = auth.iter().map(|(event, _)| JsonValue::from(event.event_id().as_str())).collect();
    if room.number() >= 12 {
        parts["room_id"] = "!create:a".into();
    }
    let auth: Vec<_> = auth.iter().map(|(pdu, rejected)| AuthEvent { pdu, rejected: *rejected }).collect();
    let create = room.get_pdu("m.room.create", "");
    let create = AuthEvent { pdu: &create, rejected: false };
    check_state_independent(&room.rules.authorization, &pdu(&parts), &auth, Some(create))
}

/// The events that authorise a message by [`USER`].
fn auth_of_message(room: &Room) -> Vec<Rc<Pdu>> {
    let mut keys = vec![("m.room.power_levels", ""), ("m.room.member", USER)];
    if room.number() < 12 {
        keys.push(("m.room.create", ""));
    }
    keys.into_iter().map(|(event_type, state_key)| room.get_pdu(event_type, state_key)).collect()
}

fn accepted(events: &[Rc<Pdu>]) -> Vec<(&Pdu, bool)> {
    events.iter().map(|event| (&**event, false)).collect()
}

#[test]
fn the_selected_auth_events_are_allowed_in_any_order() {
    for room in Room::all() {
        let mut auth = auth_of_message(&room);
        assert_eq!(check_message(&room, &accepted(&auth)), Ok(()), "{}", room.version);
        auth.reverse();
        assert_eq!(check_message(&room, &accepted(&auth)), Ok(()));
    }
}

#[test]
fn auth_events_are_not_duplicated() {
    for room in Room::all() {
        let auth = auth_of_message(&room);
        let mut twice = accepted(&auth);
        twice.push(twice[0]);
        let rejection = Rejection::DuplicateAuthEvent("m.room.power_levels".to_owned(), String::new());
        assert_eq!(check_message(&room, &twice), Err(rejection));
    }
}

#[test]
fn auth_events_are_only_those_that_are_selected() {
    for room in Room::all() {
        for (event_type, state_key) in [("m.room.join_rules", ""), ("m.room.member", OTHER)] {
            let mut auth = auth_of_message(&room);
            auth.push(room.get_pdu(event_type, state_key));
            let rejection = Rejection::UnexpectedAuthEvent(event_type.to_owned(), state_key.to_owned());
            assert_eq!(check_message(&room, &accepted(&auth)), Err(rejection));
        }
        let mut auth = auth_of_message(&room);
        auth.push(Rc::new(room.event("m.room.message", None, USER, &json!({}))));
        assert_eq!(check_message(&room, &accepted(&auth)), Err(Rejection::AuthEventNotState));
    }
}

#[test]
fn the_create_event_is_among_the_auth_events_before_version_12_and_not_since() {
    for room in Room::all() {
        let create = room.get_pdu("m.room.create", "");
        let mut auth = auth_of_message(&room);
        if room.number() >= 12 {
            auth.push(create);
            let rejection = Rejection::UnexpectedAuthEvent("m.room.create".to_owned(), String::new());
            assert_eq!(check_message(&room, &accepted(&auth)), Err(rejection));
        } else {
            auth.pop();
            assert_eq!(check_message(&room, &accepted(&auth)), Err(Rejection::NoCreateInAuthEvents));
        }
    }
}

#[test]
fn auth_events_were_not_rejected() {
    for room in Room::all() {
        let auth = auth_of_message(&room);
        for index in 0..auth.len() {
            let mut auth = accepted(&auth);
            auth[index].1 = true;
            assert_eq!(check_message(&room, &auth), Err(Rejection::RejectedAuthEvent));
        }
    }
}

#[test]
fn auth_events_are_of_the_same_room() {
    for room in Room::all() {
        let mut auth = auth_of_message(&room);
        let mut parts = room.parts("m.room.power_levels", CREATOR, &json!({}));
        parts["state_key"] = "".into();
        parts["room_id"] = "!other:a".into();
        auth[0] = Rc::new(pdu(&parts));
        assert_eq!(check_message(&room, &accepted(&auth)), Err(Rejection::AuthEventOfOtherRoom));
    }
}

#[test]
fn auth_events_are_all_known() {
    for room in Room::all() {
        let mut parts = room.parts("m.room.message", USER, &json!({}));
        parts["auth_events"] = json!(["$unknown"]);
        let create = room.get_pdu("m.room.create", "");
        let create = AuthEvent { pdu: &create, rejected: false };
        assert_eq!(
            check_state_independent(&room.rules.authorization, &pdu(&parts), &[], Some(create)),
            Err(Rejection::MissingAuthEvent)
        );
    }
}

#[test]
fn since_version_12_the_room_id_names_an_accepted_create_event() {
    let room = Room::new(&RoomVersionId::V12);
    let message = room.event("m.room.message", None, USER, &json!({}));
    let create = room.get_pdu("m.room.create", "");
    let rules = &room.rules.authorization;
    let check = |create| check_state_independent(rules, &message, &[], create);
    assert_eq!(check(Some(AuthEvent { pdu: &create, rejected: false })), Ok(()));
    assert_eq!(check(None), Err(Rejection::RoomNotCreated));
    assert_eq!(check(Some(AuthEvent { pdu: &create, rejected: true })), Err(Rejection::RoomNotCreated));
    let mut parts = create_parts(&room, &json!({}));
    parts["event_id"] = "$other".into();
    let other = pdu(&parts);
    assert_eq!(check(Some(AuthEvent { pdu: &other, rejected: false })), Err(Rejection::RoomNotCreated));
}
