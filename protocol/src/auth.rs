//! The authorisation rules of every room version. [S-S §8.3, room versions, authorisation rules]
//!
//! One code decides all three checks on receipt of an event: against the state that its auth events make, against
//! the state before it, and against the current state of the room (soft failure). What differs is the [`AuthState`].
//!
//! The numbers in comments are those of room version 12. Where earlier versions differ, a flag of ruma's
//! [`AuthorizationRules`] says so.

mod create;
mod independent;
mod member;
mod power_levels;
mod power_levels_change;
mod rejection;
mod selection;
#[cfg(test)]
mod tests;
mod third_party_invite;
mod view;

use std::rc::Rc;

use ruma::room_version_rules::AuthorizationRules;
use thiserror::Error;

use self::view::View;
pub use self::{
    create::RoomCreate,
    independent::{AuthEvent, check_create, check_state_independent},
    power_levels::{Level, PowerLevel, PowerLevels},
    rejection::Rejection,
    selection::auth_types_for_event,
};
use crate::event::Pdu;

/// A set of room state to check an event against. The rules take it as a trait object: they are long, and there are
/// several kinds of it.
pub trait AuthState {
    /// Why a look-up could not be made: a failure of storage, never the absence of an entry.
    type Error;

    /// The event in the state with this type and state key.
    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, Self::Error>;
}

/// Why an event was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthError<E> {
    /// A rule forbids the event.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The state could not be read: nothing is decided.
    #[error("cannot read state: {0}")]
    State(E),
}

/// Checks the rules that depend on room state (rules 4 to 11), after [`check_state_independent`].
///
/// The signatures of the event must have been verified: some rules rely on it.
///
/// # Errors
///
/// The rule that the event breaks, or the error of the state.
pub fn check_state_dependent<E>(
    rules: &AuthorizationRules,
    event: &Pdu,
    state: &dyn AuthState<Error = E>,
) -> Result<(), AuthError<E>> {
    // 1. The create event depends on no state.
    if event.event_type() == "m.room.create" {
        return Ok(());
    }
    let view = View::new(rules, state)?;

    // 4. A room that does not federate takes events of its creator's server only.
    if !view.create.federate()? && view.create.sender().server_name() != event.sender().server_name() {
        return Err(Rejection::NotFederated.into());
    }

    match event.event_type() {
        // Room versions 1 to 5, 4. `m.room.aliases`.
        "m.room.aliases" if rules.special_case_room_aliases => {
            if event.state_key() == Some(event.sender().server_name().as_str()) {
                Ok(())
            } else {
                Err(Rejection::AliasesWrongDomain.into())
            }
        }
        // 5. `m.room.member`.
        "m.room.member" => member::check(&view, event),
        _ => check_other(&view, event),
    }
}

/// Rules 6 to 11: events other than memberships.
fn check_other<E>(view: &View<'_, E>, event: &Pdu) -> Result<(), AuthError<E>> {
    // 6. The sender must be joined.
    view.require_joined(event.sender())?;

    let levels = view.power_levels()?;
    let sender_power = levels.user(event.sender())?;

    // 7. `m.room.third_party_invite`.
    if event.event_type() == "m.room.third_party_invite" {
        return if sender_power >= levels.level(Level::Invite)? {
            Ok(())
        } else {
            Err(Rejection::ThirdPartyInviteNotAllowed.into())
        };
    }

    // 8. The power that the type needs.
    if levels.event(event.event_type(), event.state_key().is_some())? > sender_power {
        return Err(Rejection::PowerTooLow.into());
    }

    // 9. State keys that are user ids.
    if event.state_key().is_some_and(|key| key.starts_with('@') && key != event.sender().as_str()) {
        return Err(Rejection::StateKeyOfOtherUser.into());
    }

    match event.event_type() {
        // 10. `m.room.power_levels`.
        "m.room.power_levels" => power_levels_change::check(&levels, event, sender_power)?,
        // Room versions 1 and 2, 11. `m.room.redaction`.
        "m.room.redaction" if view.rules.special_case_room_redaction => {
            check_redaction(&levels, event, sender_power)?;
        }
        // 11. Otherwise, allow.
        _ => {}
    }
    Ok(())
}

/// Room versions 1 and 2, rule 11.
fn check_redaction(levels: &PowerLevels, event: &Pdu, sender_power: PowerLevel) -> Result<(), Rejection> {
    // 11.1. Those who may redact anything.
    if sender_power >= levels.level(Level::Redact)? {
        return Ok(());
    }
    // 11.2. Servers may redact their own events.
    let redacts = event.object().get("redacts").and_then(crate::json::Value::as_str);
    let redacted_id = redacts.as_deref().and_then(|id| <&ruma::EventId>::try_from(id).ok());
    if redacted_id.and_then(ruma::EventId::server_name) == event.event_id().server_name() {
        return Ok(());
    }
    // 11.3. Otherwise, reject.
    Err(Rejection::RedactionNotAllowed)
}
