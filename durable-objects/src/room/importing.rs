//! Joining a room that this server takes no part in: the edge hands the room in, in pieces.
//!
//! One at a time: what two joins bring must not be mixed. A reservation is in memory; the platform may take an actor
//! down while the other server lets wait for what comes next, and then who began the import last goes on with it.

use std::{cell::Cell, rc::Rc};

use selvedge_protocol::event::VerifiedPdu;

use super::{
    RoomEngine,
    commit::{CommitError, ImportError, Piece},
};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::room::{
        BeginImport, CheckedEvent, FinishImport, ImportPiece, ReleaseImport, Reservation, ReserveImport,
    },
};

/// How long a reservation lasts after the last use of it, in milliseconds.
const LEASE_MS: u64 = 90_000;
/// How long events that arrive during an import wait for its end, in milliseconds.
const MAX_WAIT_MS: u64 = 20_000;
/// How many events that wait are checked before others get their turn.
pub(super) const CHECKED_AT_A_TIME: u32 = 500;
/// How often it is looked whether the import has ended, in milliseconds.
const POLL_MS: u32 = 100;

/// The import under way.
#[derive(Default)]
pub(super) struct Importing {
    /// The reservation and when it lapses.
    lease: Cell<Option<(u64, u64)>>,
    last_token: Cell<u64>,
}

impl From<ImportError> for MatrixError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Commit(CommitError::Database(error)) => error.into(),
            ImportError::JoinForbidden(rule) => Self::forbidden(format!("Not allowed: {rule}")),
            other => Self::bad_gateway(format!("The room cannot be joined: {other}")),
        }
    }
}

impl RoomEngine {
    pub(super) fn reserve_import(&self, _: ReserveImport) -> Result<Reservation, MatrixError> {
        if self.takes_part()? {
            return Ok(Reservation::Here);
        }
        Ok(self.reserve_for_own_use()?.map_or(Reservation::Busy, Reservation::Import))
    }

    fn is_importing(&self) -> bool {
        let now = self.runtime.platform.now();
        self.importing.lease.get().is_some_and(|(_, lapses)| lapses > now)
    }

    /// Waits until no import is under way, within bounds: what arrives meanwhile is of the room to be.
    pub(super) async fn await_import(&self) {
        let platform = self.runtime.platform.as_ref();
        let deadline = platform.now().saturating_add(MAX_WAIT_MS);
        // While this server takes part, it is the rest of a state that is imported.
        while self.is_importing() && platform.now() < deadline && !self.takes_part().unwrap_or(true) {
            platform.sleep(POLL_MS).await;
        }
    }

    /// Reserves the room for its own use; `None` while it is reserved.
    pub(super) fn reserve_for_own_use(&self) -> Result<Option<u64>, DatabaseError> {
        if self.is_importing() {
            return Ok(None);
        }
        // Tokens of an earlier life of this actor must not fit.
        let now = self.runtime.platform.now();
        let last = self.importing.last_token.get().max(self.store.import_token()?);
        let token = now.max(last.saturating_add(1));
        self.importing.last_token.set(token);
        self.importing.lease.set(Some((token, now.saturating_add(LEASE_MS))));
        Ok(Some(token))
    }

    /// `M_UNKNOWN` when the reservation has lapsed.
    pub(super) fn renew(&self, token: u64) -> Result<(), MatrixError> {
        let holds = match self.importing.lease.get() {
            Some((of, _)) => of == token,
            None => self.store.import_token()? == token,
        };
        self.renew_if(token, holds)
    }

    fn renew_if(&self, token: u64, holds: bool) -> Result<(), MatrixError> {
        if !holds {
            return Err(MatrixError::bad_gateway("The join took too long: try again"));
        }
        let lapses = self.runtime.platform.now().saturating_add(LEASE_MS);
        self.importing.lease.set(Some((token, lapses)));
        Ok(())
    }

    pub(super) fn release_import(&self, command: ReleaseImport) -> Result<(), MatrixError> {
        if self.importing.lease.get().is_some_and(|(token, _)| token == command.token) {
            self.importing.lease.set(None);
        }
        Ok(())
    }

    pub(super) fn begin_import_of(&self, command: BeginImport) -> Result<(), MatrixError> {
        let token = command.token;
        let holds = match self.importing.lease.get() {
            Some((of, _)) => of == token,
            // Later tokens are larger: nobody has begun since this one was given.
            None => self.store.import_token()? <= token,
        };
        self.renew_if(token, holds)?;
        self.store.write(|writer| writer.set_import_token(token))?;
        let room_id = ruma::RoomId::parse(&self.runtime.name)
            .map_err(|_| MatrixError::internal("A room's actor has no room id"))?;
        let local = self.runtime.platform.config().server_name.clone();
        Ok(self.begin_import(&local, room_id, command.version)?)
    }

    pub(super) fn import_piece(&self, command: ImportPiece) -> Result<(), MatrixError> {
        self.renew(command.token)?;
        let local = self.runtime.platform.config().server_name.clone();
        let piece = Piece { auth_chain: open_all(command.auth_chain), state: open_all(command.state) };
        Ok(self.import(&local, &piece)?)
    }

    pub(super) async fn finish_import_of(self: &Rc<Self>, command: FinishImport) -> Result<(), MatrixError> {
        self.renew(command.token)?;
        let local = self.runtime.platform.config().server_name.clone();
        let join = command
            .join
            .open()
            .map_err(|error| MatrixError::bad_gateway(format!("Not an event: {error}")))?;
        while self.check_import(&local, CHECKED_AT_A_TIME)? {
            self.renew(command.token)?;
            // Others get their turn: a room may have hundreds of thousands of events to check.
            self.runtime.platform.sleep(0).await;
        }
        let without = command.without_members.as_deref();
        let finished = self.finish_import(&local, &join, without);
        self.importing.lease.set(None);
        self.tell(finished?).await?;
        self.begin_completion().await;
        Ok(())
    }
}

/// Those of the events that can be read, which all can that this server wrote.
fn open_all(events: Vec<CheckedEvent>) -> Vec<VerifiedPdu> {
    events.into_iter().filter_map(|event| event.open().ok()).collect()
}
