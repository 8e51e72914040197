//! Events that other servers send `[S-S §5]`: gathered until they connect, then committed.

mod ends;
mod gather;
mod history;
mod missing;
mod state;
mod whole;

use std::rc::Rc;

use ruma::{RoomVersionId, ServerName};
use selvedge_protocol::{auth::AuthState, event::VerifiedPdu, server_acl::ServerAcl};

pub(in crate::room) use self::gather::{Gather, GatherError};
use super::{RoomEngine, commit::Received, state::State};
use crate::{
    database::DatabaseError,
    federation::stray,
    matrix_error::MatrixError,
    rpc::room::{AdmitsServer, GetRoomVersion, ReceivePdus},
};

impl RoomEngine {
    pub(super) fn get_room_version(&self, _: GetRoomVersion) -> Result<Option<RoomVersionId>, MatrixError> {
        Ok(self.store.find_meta()?.map(|meta| meta.version.clone()))
    }

    pub(super) fn admits_server(&self, command: AdmitsServer) -> Result<bool, MatrixError> {
        Ok(self.hears(&command.server)?)
    }

    /// Whether any user of this server is joined.
    pub(in crate::room) fn takes_part(&self) -> Result<bool, DatabaseError> {
        Ok(self.store.find_meta()?.is_some() && self.store.is_any_local_joined()?)
    }

    /// Whether the room's access control list, if it has one, lets a server take part `[S-S §19]`.
    pub(in crate::room) fn is_admitted(&self, server: &ServerName) -> Result<bool, DatabaseError> {
        let list = State::current(&self.store)?.get("m.room.server_acl", "")?;
        Ok(list.is_none_or(|list| ServerAcl::new(&list).allows(server)))
    }

    /// Whether EDUs of a server count in the room `[S-S §19]`.
    pub(in crate::room) fn hears(&self, server: &ServerName) -> Result<bool, DatabaseError> {
        Ok(self.takes_part()? && self.is_admitted(server)?)
    }

    pub(super) async fn receive_pdus(
        self: &Rc<Self>,
        command: ReceivePdus,
    ) -> Result<Vec<Option<String>>, MatrixError> {
        self.await_import().await;
        let count = command.pdus.len();
        if !self.takes_part()? {
            for event in command.pdus.into_iter().filter_map(|event| event.open().ok()) {
                stray::receive(self.runtime.platform.as_ref(), &event).await?;
            }
            return Ok(vec![Some("This server takes no part in the room".to_owned()); count]);
        }
        if !self.is_admitted(&command.origin)? {
            return Ok(vec![Some("The server is banned from the room".to_owned()); count]);
        }
        let gather = Gather::new(self, command.origin)?;
        let mut outcomes = Vec::with_capacity(count);
        for event in command.pdus {
            outcomes.push(match event.open() {
                Ok(event) => self.receive_one(&gather, event).await?,
                Err(error) => Some(error.to_string()),
            });
        }
        if let Err(error) = self.tie_ends().await {
            crate::log::warn("inbound", &format!("the ends of the history are left loose: {error}"));
        }
        Ok(outcomes)
    }

    /// Takes in one event; why it was refused, if it was.
    async fn receive_one(
        self: &Rc<Self>,
        gather: &Gather<'_>,
        event: VerifiedPdu,
    ) -> Result<Option<String>, MatrixError> {
        let event_id = event.event_id().to_owned();
        let is_own = event.sender().server_name() == self.runtime.platform.config().server_name;
        match gather.receive(event).await {
            // Where members are missing from the state, that is not the last word.
            Ok(Received::Rejected(_)) if !is_own && self.is_partial()? => Ok(None),
            Ok(Received::Rejected(rule)) => Ok(Some(rule)),
            // What is soft-failed is in the room, and not for its sender to know.
            Ok(_) => Ok(None),
            // Nothing is wrong with an event that cannot be connected now: it may come again.
            Err(error) => {
                crate::log::warn("inbound", &format!("{event_id}: {error}"));
                error.refusal().map(|_| None)
            }
        }
    }
}
