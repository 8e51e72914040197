//! What this server's clients do in a room: commands of the edge, on top of [`commit`](super::commit).

mod alias;
mod backfill;
mod creation;
mod join;
mod membership;
mod read_state;
mod send;
mod summary;
mod timeline;

use std::rc::Rc;

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, UInt, UserId, events::room::member::MembershipState};

use selvedge_protocol::auth::Rejection;

use super::{
    RoomEngine,
    commit::{Author, CommitError, Committed, Effects, NewEvent},
    state::State,
};
use crate::{
    config::ServerConfig,
    database::DatabaseError,
    matrix_error::MatrixError,
    platform::random,
    signing::{ServerKeys, server_keys},
};

/// What it takes to write events now.
pub(super) struct Pen {
    config: Rc<ServerConfig>,
    keys: Rc<ServerKeys>,
    now: MilliSecondsSinceUnixEpoch,
    entropy: [u8; 12],
}

impl Pen {
    pub(super) fn author(&self) -> Author<'_> {
        Author {
            server: &self.config.server_name,
            key: &self.keys.pair,
            now: self.now,
            entropy: self.entropy,
        }
    }
}

/// The answer to those who ask for a room that they are not in, and for one that does not exist: the same.
fn not_in_room() -> MatrixError {
    MatrixError::forbidden("You are not in this room")
}

impl RoomEngine {
    pub(super) async fn pen(&self) -> Result<Pen, MatrixError> {
        let platform = self.runtime.platform.as_ref();
        Ok(Pen {
            config: platform.config(),
            keys: server_keys(platform).await?,
            now: MilliSecondsSinceUnixEpoch(UInt::try_from(platform.now()).unwrap_or(UInt::MAX)),
            entropy: random(platform),
        })
    }

    /// Commits events of clients, and wakes followers. Those whose membership changed are told before the answer, so
    /// that what they ask next counts with it.
    async fn write(self: &Rc<Self>, pen: &Pen, events: &[NewEvent]) -> Result<Vec<Committed>, MatrixError> {
        let (committed, effects) = self.commit(&pen.author(), events).map_err(hide_absence)?;
        self.tell_of(effects).await;
        Ok(committed)
    }

    /// The same for one event; its id.
    async fn write_one(self: &Rc<Self>, pen: &Pen, event: NewEvent) -> Result<OwnedEventId, MatrixError> {
        let committed = self.write(pen, &[event]).await?;
        let committed = committed.into_iter().next();
        Ok(committed.ok_or_else(|| MatrixError::internal("The event was not committed"))?.event_id)
    }

    /// Wakes followers of what is committed; a failure to tell them is not one of the commit.
    async fn tell_of(self: &Rc<Self>, effects: Effects) {
        if let Err(error) = self.tell(effects).await {
            crate::log::error("wake", &error.to_string());
        }
    }

    /// The current state, of a room that the user is joined to.
    fn joined_state(&self, user_id: &UserId) -> Result<State, MatrixError> {
        let state = State::current(&self.store)?;
        match state.membership(user_id)? {
            MembershipState::Join => Ok(state),
            _ => Err(not_in_room()),
        }
    }

    /// A user's membership now; `leave` in a room that is not known.
    fn current_membership(&self, user_id: &UserId) -> Result<MembershipState, DatabaseError> {
        State::current(&self.store)?.membership(user_id)
    }
}

/// Who is not in the room learns nothing of whether there is one.
fn hide_absence(error: CommitError) -> MatrixError {
    match error {
        CommitError::NoRoom | CommitError::Forbidden(Rejection::SenderNotJoined) => not_in_room(),
        error => error.into(),
    }
}
