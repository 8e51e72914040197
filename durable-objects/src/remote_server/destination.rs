//! The queue, for those who look after it.

use std::rc::Rc;

use super::{RemoteServerEngine, store::Backoff};
use crate::{
    matrix_error::MatrixError,
    rpc::{
        self,
        directory::NoteDestination,
        remote_server::{
            Destination, DestinationRooms, GetDestination, ListDestinationRooms, ResetConnection,
        },
    },
};

impl RemoteServerEngine {
    /// Has the directory list this server, once.
    pub(super) async fn have_listed(&self) {
        let listed = async {
            if !self.queue().is_listed()? {
                let note = NoteDestination { server: self.server_name()? };
                rpc::call(self.runtime.platform.as_ref(), &(), &note).await?;
                self.queue().set_listed()?;
            }
            Ok::<_, MatrixError>(())
        };
        // It is tried again with the next thing that is sent.
        if let Err(error) = listed.await {
            crate::log::warn("destination", &error.to_string());
        }
    }

    pub(super) fn get_destination(&self, _: GetDestination) -> Result<Destination, MatrixError> {
        let Backoff { failures, since_ts, retry_ts, last_ts } = self.queue().backoff()?;
        Ok(Destination {
            retry_last_ts: last_ts,
            retry_interval: retry_ts.saturating_sub(last_ts),
            failure_ts: (failures > 0).then_some(since_ts),
        })
    }

    pub(super) fn list_destination_rooms(
        &self,
        command: ListDestinationRooms,
    ) -> Result<DestinationRooms, MatrixError> {
        let ListDestinationRooms { from, limit, is_backward } = command;
        let (rooms, total) = self.queue().cursors(from, limit, is_backward)?;
        Ok(DestinationRooms { rooms, total })
    }

    pub(super) async fn reset_connection(self: &Rc<Self>, _: ResetConnection) -> Result<(), MatrixError> {
        let backoff = self.queue().backoff()?;
        if backoff.failures == 0 {
            return Err(MatrixError::bad_request("The server is not waited for"));
        }
        self.queue().set_backoff(Backoff { failures: 1, retry_ts: 0, ..backoff })?;
        self.ring().await
    }
}
