//! Rules 1 to 3: what is decided without room state.

use ruma::{RoomVersionId, UserId, room_version_rules::AuthorizationRules};

use super::{Rejection, auth_types_for_event};
use crate::{event::Pdu, json::Value};

/// An event named in `auth_events`, or the room's create event, and what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct AuthEvent<'a> {
    /// The event.
    pub pdu: &'a Pdu,
    /// Whether it was itself rejected.
    pub rejected: bool,
}

/// Checks the rules that depend on no room state: the create event, and every event's `auth_events`.
///
/// `auth_events` are the events that the event names, in any order; `create` is the room's create event, which
/// matters since room version 12 only, where it is not among the auth events.
///
/// # Errors
///
/// The rule that the event breaks.
pub fn check_state_independent(
    rules: &AuthorizationRules,
    event: &Pdu,
    auth_events: &[AuthEvent<'_>],
    create: Option<AuthEvent<'_>>,
) -> Result<(), Rejection> {
    if let Some(field) = event.overlong_field() {
        return Err(Rejection::TooLong(field));
    }

    // 1. `m.room.create`.
    if event.event_type() == "m.room.create" {
        return check_create(rules, event);
    }

    // 2. Since room version 12, the room id names an accepted create event.
    if rules.room_create_event_id_as_room_id
        && !create.is_some_and(|create| {
            !create.rejected && create.pdu.is_state("m.room.create", "") && names_room(create.pdu, event)
        })
    {
        return Err(Rejection::RoomNotCreated);
    }

    // 3. `auth_events`.
    check_auth_events(rules, event, auth_events)
}

/// Whether the room id of `event` is the event id of `create` with another sigil.
fn names_room(create: &Pdu, event: &Pdu) -> bool {
    event.room_id().as_str().strip_prefix('!') == create.event_id().as_str().strip_prefix('$')
}

fn check_auth_events(
    rules: &AuthorizationRules,
    event: &Pdu,
    auth_events: &[AuthEvent<'_>],
) -> Result<(), Rejection> {
    let content = event.content_object();
    let expected =
        auth_types_for_event(rules, event.event_type(), event.sender(), event.state_key(), content)?;
    if auth_events.len() != event.auth_events().len() {
        return Err(Rejection::MissingAuthEvent);
    }
    let mut seen: Vec<(&str, &str)> = Vec::with_capacity(auth_events.len());
    for AuthEvent { pdu, rejected } in auth_events {
        let key = (pdu.event_type(), pdu.state_key().ok_or(Rejection::AuthEventNotState)?);
        let named = || (key.0.to_owned(), key.1.to_owned());
        // 3.1. No duplicates.
        if seen.contains(&key) {
            let (event_type, state_key) = named();
            return Err(Rejection::DuplicateAuthEvent(event_type, state_key));
        }
        seen.push(key);
        // 3.2. Only what the selection algorithm selects.
        if !expected.iter().any(|(event_type, state_key)| (*event_type, &**state_key) == key) {
            let (event_type, state_key) = named();
            return Err(Rejection::UnexpectedAuthEvent(event_type, state_key));
        }
        // 3.3. No rejected events.
        if *rejected {
            return Err(Rejection::RejectedAuthEvent);
        }
        // 3.5. No events of other rooms.
        if pdu.room_id() != event.room_id() {
            return Err(Rejection::AuthEventOfOtherRoom);
        }
    }
    // Room versions 1 to 11, 2.4. The create event is there.
    if !rules.room_create_event_id_as_room_id && !seen.contains(&("m.room.create", "")) {
        return Err(Rejection::NoCreateInAuthEvents);
    }
    Ok(())
}

/// Checks an `m.room.create` (rule 1).
///
/// # Errors
///
/// The rule that the event breaks.
pub fn check_create(rules: &AuthorizationRules, event: &Pdu) -> Result<(), Rejection> {
    // 1.1. It comes first.
    if !event.prev_events().is_empty() {
        return Err(Rejection::CreateHasPrevEvents);
    }
    // 1.2. It names the room (since version 12), or its sender's server made the room (before).
    if rules.room_create_event_id_as_room_id {
        if event.object().get("room_id").is_some() {
            return Err(Rejection::CreateHasRoomId);
        }
    } else if event.room_id().server_name() != Some(event.sender().server_name()) {
        return Err(Rejection::CreateWrongDomain);
    }
    let content = event.content_object();
    // 1.3. The version is one that we know.
    if let Some(version) = content.get("room_version") {
        let version = version.as_str().and_then(|version| RoomVersionId::try_from(&*version).ok());
        if version.and_then(|version| version.rules()).is_none() {
            return Err(Rejection::CreateUnknownVersion);
        }
    }
    // Room versions 1 to 10, 1.4. It names the creator.
    if !rules.use_room_create_sender && content.get("creator").is_none_or(Value::is_null) {
        return Err(Rejection::CreateWithoutCreator);
    }
    // 1.4. Since room version 12, additional creators are user ids.
    if rules.additional_room_creators
        && let Some(creators) = content.get("additional_creators")
    {
        let creators = creators.as_array().ok_or(Rejection::CreateBadAdditionalCreators)?;
        for creator in creators {
            let creator = creator.as_str().ok_or(Rejection::CreateBadAdditionalCreators)?;
            <&UserId>::try_from(&*creator).map_err(|_| Rejection::CreateBadAdditionalCreators)?;
        }
    }
    // 1.5. Otherwise, allow.
    Ok(())
}
