//! The servers that something was sent to.

use ruma::OwnedServerName;

use super::DirectoryEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::directory::{Destinations, ListDestinations, NoteDestination},
};

const NOTE: &str = "INSERT INTO destination (server_name) VALUES (?) ON CONFLICT DO NOTHING";
const COUNT: &str = "SELECT count(*) FROM destination WHERE instr(server_name, ?) > 0";
const FIRST: &str = "SELECT server_name FROM destination WHERE instr(server_name, ?) > 0
    ORDER BY server_name LIMIT ? OFFSET ?";
const LAST: &str = "SELECT server_name FROM destination WHERE instr(server_name, ?) > 0
    ORDER BY server_name DESC LIMIT ? OFFSET ?";

impl DirectoryEngine {
    pub(super) fn note_destination(&self, command: NoteDestination) -> Result<(), MatrixError> {
        Ok(self.runtime.db.execute(NOTE, params![command.server.as_str()])?)
    }

    pub(super) fn list_destinations(&self, command: ListDestinations) -> Result<Destinations, MatrixError> {
        let ListDestinations { from, limit, is_backward, containing } = command;
        let db = self.runtime.db.as_ref();
        let total = db.query_first(COUNT, params![&containing], |row| row.get::<u64>(0))?;
        let page = if is_backward { LAST } else { FIRST };
        let servers = db.query(page, params![&containing, limit, from], |row| {
            OwnedServerName::try_from(row.get::<String>(0)?)
                .map_err(|_| DatabaseError::corrupt("a destination that is no server"))
        })?;
        Ok(Destinations { servers, total: total.unwrap_or(0) })
    }
}
