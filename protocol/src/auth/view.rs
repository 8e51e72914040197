//! What the rules ask of room state.

use std::rc::Rc;

use ruma::{UserId, events::room::member::MembershipState, room_version_rules::AuthorizationRules};

use super::{AuthError, AuthState, PowerLevels, Rejection, RoomCreate};
use crate::event::Pdu;

/// The state of a room that exists, with the rules of its version.
pub(super) struct View<'a, E> {
    pub(super) rules: &'a AuthorizationRules,
    pub(super) create: RoomCreate,
    state: &'a dyn AuthState<Error = E>,
}

impl<'a, E> View<'a, E> {
    /// Without a create event nothing is allowed.
    pub(super) fn new(
        rules: &'a AuthorizationRules,
        state: &'a dyn AuthState<Error = E>,
    ) -> Result<Self, AuthError<E>> {
        let create = state.get("m.room.create", "").map_err(AuthError::State)?.ok_or(Rejection::NoCreate)?;
        Ok(Self { rules, create: RoomCreate::new(create), state })
    }

    pub(super) fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, AuthError<E>> {
        self.state.get(event_type, state_key).map_err(AuthError::State)
    }

    /// The user's membership; `leave` for those who were never in the room.
    pub(super) fn membership(&self, user: &UserId) -> Result<MembershipState, AuthError<E>> {
        let Some(event) = self.get("m.room.member", user.as_str())? else {
            return Ok(MembershipState::Leave);
        };
        let membership = event.content_str("membership").ok_or(Rejection::MalformedMembership)?;
        Ok(MembershipState::from(&*membership))
    }

    /// Rejects unless the user is joined.
    pub(super) fn require_joined(&self, user: &UserId) -> Result<(), AuthError<E>> {
        if self.membership(user)? == MembershipState::Join {
            Ok(())
        } else {
            Err(Rejection::SenderNotJoined.into())
        }
    }

    pub(super) fn power_levels(&self) -> Result<PowerLevels, AuthError<E>> {
        Ok(PowerLevels::new(self.rules, self.create.clone(), self.get("m.room.power_levels", "")?)?)
    }

    /// The join rule. A room without one is open to the invited only; the rules do not say so, but all servers do.
    pub(super) fn join_rule(&self) -> Result<String, AuthError<E>> {
        let Some(event) = self.get("m.room.join_rules", "")? else {
            return Ok("invite".to_owned());
        };
        Ok(event.content_str("join_rule").ok_or(Rejection::MalformedJoinRules)?.into_owned())
    }
}
