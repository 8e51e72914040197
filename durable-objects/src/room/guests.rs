//! Guests of this server, who leave when the room lets guests in no more `[C-S §11.24]`. Only their own server knows
//! that they are guests.

use std::{cell::Cell, rc::Rc};

use ruma::{UserId, events::room::member::MembershipState};
use selvedge_protocol::auth::AuthState;

use super::{RoomEngine, commit::NewEvent, state::State};
use crate::{database::DatabaseError, log, matrix_error::MatrixError};

/// Whether there may be guests; `None` until it was looked.
#[derive(Default)]
pub(super) struct Guests(Cell<Option<bool>>);

impl RoomEngine {
    /// Whether the room lets guests in.
    pub(super) fn lets_guests_in(&self) -> Result<bool, DatabaseError> {
        let access = State::current(&self.store)?.get("m.room.guest_access", "")?;
        Ok(access.is_some_and(|event| event.content_str("guest_access").as_deref() == Some("can_join")))
    }

    /// A guest is about to join.
    pub(super) fn expect_guest(&self, user_id: &UserId) -> Result<(), DatabaseError> {
        self.guests.0.set(Some(true));
        self.store.write(|writer| writer.add_guest(user_id))
    }

    /// Lets the guests leave, if the room lets none in; whether all that had to have left.
    pub(super) async fn see_guests_out(self: &Rc<Self>) -> Result<bool, DatabaseError> {
        if self.guests.0.get() == Some(false) || self.lets_guests_in()? {
            return Ok(true);
        }
        let guests = self.store.guests()?;
        self.guests.0.set(Some(!guests.is_empty()));
        let mut is_done = true;
        for guest in guests {
            match self.see_out(&guest).await {
                Ok(()) => {}
                Err(error) if error.status < 500 => log::warn("guest", &error.to_string()),
                Err(error) => {
                    log::error("guest", &error.to_string());
                    is_done = false;
                    continue;
                }
            }
            self.store.write(|writer| writer.remove_guest(&guest))?;
        }
        Ok(is_done)
    }

    async fn see_out(self: &Rc<Self>, guest: &UserId) -> Result<(), MatrixError> {
        if State::current(&self.store)?.membership(guest)? != MembershipState::Join {
            return Ok(());
        }
        let content = r#"{"membership":"leave","reason":"Guests are not let in any more"}"#.to_owned();
        let leave = NewEvent::state(guest.to_owned(), "m.room.member", guest.as_str(), content);
        let pen = self.pen().await?;
        let (_, effects) = self.commit_new(&pen, &[leave]).await?;
        self.wake(effects);
        Ok(())
    }
}
