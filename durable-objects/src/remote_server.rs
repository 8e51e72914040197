//! The `RemoteServer` actor: another homeserver as seen from here: where it is, which keys it
//! signs with, and the queue of what it is still owed.

mod destination;
mod devices;
mod discovery;
mod edu;
mod ephemeral;
mod find_event;
mod inbound;
mod presence;
mod queue;
mod store;
#[cfg(test)]
mod tests;
mod verify_keys;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

use ruma::{OwnedRoomId, OwnedServerName, ServerName};

use crate::{
    dispatch,
    engine::{Engine, Runtime},
    matrix_error::MatrixError,
    migrations::Migration,
    rpc::remote_server::{
        FindEvent, GetDestination, GetVerifyKeys, ListDestinationRooms, OutboundEdu, ReceiveTransaction,
        ResetConnection, Resolve, RoomChanged, SendEdus, SendPdus,
    },
};

/// The behaviour of a `RemoteServer`.
pub struct RemoteServerEngine {
    runtime: Runtime,
    /// EDUs that are worth sending now or never.
    volatile: RefCell<VecDeque<OutboundEdu>>,
    /// Whether the queue is being worked off.
    sending: Cell<bool>,
    /// When the alarm rings, as far as this process knows; 0 if it does not.
    alarm_at: Cell<u64>,
    /// When it was heard that users changed their devices.
    device_news: devices::DeviceNews,
    inbound: inbound::Inbound,
    keys: verify_keys::KeyQuestions,
    /// Rooms of which it is stored that the server takes part in them.
    known_rooms: RefCell<BTreeSet<OwnedRoomId>>,
}

impl RemoteServerEngine {
    /// The server's name, which is this actor's.
    fn server_name(&self) -> Result<OwnedServerName, MatrixError> {
        ServerName::parse(&self.runtime.name)
            .map_err(|_| MatrixError::internal("A server's actor has no server name"))
    }
}

impl Engine for RemoteServerEngine {
    const MIGRATIONS: &'static [Migration] = &[
        (1, include_str!("../../schema/remote_server/0001_discovery_and_keys.sql")),
        (2, include_str!("../../schema/remote_server/0002_outbound_queue.sql")),
        (3, include_str!("../../schema/remote_server/0003_inbound_transaction.sql")),
        (4, include_str!("../../schema/remote_server/0004_shared_room.sql")),
        (5, include_str!("../../schema/remote_server/0005_outbound_pdu.sql")),
        (10, include_str!("../../schema/remote_server/0010_device_cache.sql")),
        (11, include_str!("../../schema/remote_server/0011_destination.sql")),
        (20, include_str!("../../schema/remote_server/0020_stale_devices.sql")),
    ];

    fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            volatile: RefCell::default(),
            sending: Cell::new(false),
            alarm_at: Cell::default(),
            inbound: inbound::Inbound::default(),
            keys: verify_keys::KeyQuestions::default(),
            known_rooms: RefCell::default(),
            device_news: devices::DeviceNews::default(),
        }
    }

    async fn handle(self: Rc<Self>, op: &str, body: &str) -> Result<String, MatrixError> {
        dispatch!(self, op, body, {
            async Resolve => resolve,
            async GetVerifyKeys => get_verify_keys,
            async RoomChanged => room_changed,
            async SendEdus => send_edus,
            async SendPdus => send_pdus,
            async crate::rpc::remote_server::QueryRemoteKeys => query_remote_keys,
            sync crate::rpc::remote_server::RoomShared => room_shared,
            sync crate::rpc::remote_server::ForgetDevices => forget_devices,
            async ReceiveTransaction => receive_transaction,
            async FindEvent => find_event,
            sync GetDestination => get_destination,
            sync ListDestinationRooms => list_destination_rooms,
            async ResetConnection => reset_connection,
        })
    }

    async fn alarm(self: Rc<Self>) {
        self.alarm_rang().await;
    }
}
