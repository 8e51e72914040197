//! What this server's clients do in a room: commands of the edge, on top of [`commit`](super::commit).

mod alias;
mod backfill;
mod by_time;
mod creation;
mod join;
mod membership;
mod read_state;
mod relations;
mod report;
mod search;
mod send;
mod summary;
mod threads;
mod timeline;
mod upgrade;

use std::rc::Rc;

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, UInt, UserId, events::room::member::MembershipState};

use selvedge_protocol::auth::Rejection;
use serde_json::value::RawValue;

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
    rpc::{self, remote_server::SendPdus},
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
        let (committed, effects) = self.commit_new(pen, events).await?;
        self.tell_of(effects).await;
        self.tell_outsiders(pen, events, &committed).await?;
        Ok(committed)
    }

    /// Tells the servers of users who were put out of the room while their server takes no part in it, which were
    /// invited, that they are.
    async fn tell_outsiders(
        &self,
        pen: &Pen,
        events: &[NewEvent],
        committed: &[Committed],
    ) -> Result<(), MatrixError> {
        for (event, committed) in events.iter().zip(committed) {
            let target = event.state_key.as_deref().and_then(|key| <&UserId>::try_from(key).ok());
            let Some(target) = target.filter(|target| {
                event.event_type == "m.room.member"
                    && **target != event.sender
                    && target.server_name() != pen.config.server_name
            }) else {
                continue;
            };
            // Servers that take part, or did until this event, follow the room.
            let server = self.store.server(target.server_name())?;
            let follows = server.is_some_and(|server| {
                server.joined > 0 || server.until.is_some_and(|until| Some(until) >= committed.position)
            });
            let stored = self.store.find_event(&committed.event_id)?;
            let Some(stored) = stored.filter(|_| !follows && !committed.is_repeated) else { continue };
            let pdu = RawValue::from_string(stored.pdu.json().to_owned())?;
            let platform = self.runtime.platform.as_ref();
            let told = SendPdus { pdus: vec![pdu] };
            rpc::call(platform, &target.server_name().to_owned(), &told).await?;
        }
        Ok(())
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
pub(super) fn hide_absence(error: CommitError) -> MatrixError {
    match error {
        CommitError::NoRoom | CommitError::Forbidden(Rejection::SenderNotJoined) => not_in_room(),
        error => error.into(),
    }
}
