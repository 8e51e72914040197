//! The authorisation rules of every room version. [S-S §8.3, room versions, authorisation rules]
//!
//! One code decides all three checks on receipt of an event: against the state that its auth events make, against
//! the state before it, and against the current state of the room (soft failure). What differs is the [`AuthState`].

mod rejection;

use std::rc::Rc;

use thiserror::Error;

pub use self::rejection::Rejection;
use crate::event::Pdu;

/// A set of room state to check an event against.
pub trait AuthState {
    /// Why a look-up could not be made: a failure of storage, never the absence of an entry.
    type Error;

    /// The event in the state with this type and state key.
    fn get(&self, event_type: &str, state_key: &str) -> Result<Option<Rc<Pdu>>, Self::Error>;
}

/// An event named in `auth_events`, or the room's create event, and what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct AuthEvent<'a> {
    /// The event.
    pub pdu: &'a Pdu,
    /// Whether it was itself rejected.
    pub rejected: bool,
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
