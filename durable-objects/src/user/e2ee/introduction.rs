//! Telling the user's devices to servers that did not follow them: those in a room that the user joins, and in no other
//! of the user's rooms `[S-S §10.1]`.

use std::{
    collections::BTreeSet,
    ops::ControlFlow::{Break, Continue},
    rc::Rc,
};

use ruma::{
    OwnedRoomId, OwnedServerName, UInt, api::federation::transactions::edu::DeviceListUpdateContent,
    events::room::member::MembershipState,
};
use serde_json::value::to_raw_value;

use super::device_list::{CONCURRENCY, device_edu};
use crate::{
    concurrent::each_until,
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::{
        self,
        remote_server::OutboundEdu,
        room::{OtherServers, ServersOfRoom},
        user::{IntroduceDevices, ListDevices, QueryKeys},
    },
    user::{UserEngine, sync::Stream},
};

const INSERT: &str = "INSERT INTO device_introduction (room_id) SELECT ? WHERE EXISTS (SELECT 1 FROM device)
    ON CONFLICT (room_id) DO NOTHING";
const PENDING: &str = "SELECT room_id FROM device_introduction";
const DELETE: &str = "DELETE FROM device_introduction WHERE room_id = ?";

impl UserEngine {
    /// The user joined a room. In a transaction of the caller.
    pub(in crate::user) fn introduce_devices(&self, room_id: &OwnedRoomId) -> Result<(), DatabaseError> {
        self.runtime.db.execute(INSERT, params![room_id.as_str()])?;
        self.device_list_news.note();
        Ok(())
    }

    pub(in crate::user) fn introduce_devices_in(
        self: &Rc<Self>,
        command: IntroduceDevices,
    ) -> Result<(), MatrixError> {
        self.introduce_devices(&command.room_id)?;
        self.tell_device_list_news();
        Ok(())
    }

    /// Tells the servers of rooms that the user joined what devices there are.
    pub(super) async fn tell_introductions(&self) -> Result<(), MatrixError> {
        let mut pending: BTreeSet<_> =
            self.runtime.db.query(PENDING, params![], |row| row.get::<String>(0))?.into_iter().collect();
        while let Some(room_id) = pending.pop_first() {
            let room = OwnedRoomId::try_from(room_id.as_str());
            let room = room.map_err(|_| DatabaseError::corrupt("room id"))?;
            let (mut servers, is_partial) = self.servers_of([room].into_iter(), None).await?;
            if !servers.is_empty() {
                let joined = self.memberships().of_kinds(&[MembershipState::Join])?;
                let others = joined.into_iter().map(|row| row.room_id);
                let others =
                    others.filter(|other| *other.as_str() != *room_id && !pending.contains(other.as_str()));
                let (known, _) = self.servers_of(others, Some(&servers)).await?;
                servers.retain(|server| !known.contains(server));
                // For the many servers of a large room, devices that have no keys are not worth a message to each.
                self.tell_servers(servers, self.introduction(is_partial)?).await?;
            }
            self.runtime.db.execute(DELETE, params![&room_id])?;
        }
        Ok(())
    }

    /// The other servers in rooms of the user, and whether these are not all; once all that are `wanted` are found, no
    /// more rooms are asked.
    async fn servers_of(
        &self,
        rooms: impl Iterator<Item = OwnedRoomId>,
        wanted: Option<&BTreeSet<OwnedServerName>>,
    ) -> Result<(BTreeSet<OwnedServerName>, bool), MatrixError> {
        let command = OtherServers { user_id: self.user_id()? };
        let platform = self.runtime.platform.as_ref();
        let (mut servers, mut is_partial, mut outcome) = (BTreeSet::new(), false, Ok(()));
        let take = |answer: Result<ServersOfRoom, MatrixError>| {
            match answer {
                Ok(of_room) => {
                    servers.extend(of_room.servers);
                    is_partial |= of_room.is_partial;
                }
                Err(error) if error.status < 500 => {}
                Err(error) => outcome = Err(error),
            }
            let has_all = wanted.is_some_and(|wanted| wanted.is_subset(&servers));
            if has_all || outcome.is_err() { Break(()) } else { Continue(()) }
        };
        each_until(CONCURRENCY, rooms, |room_id| rpc::call(platform, &room_id, &command), take).await;
        outcome.map(|()| (servers, is_partial))
    }

    /// All devices as a chain of updates. Its ids are of no other update; it begins anew, which tells the receiver that
    /// it has nothing from before.
    /// `with_keys`: only those that have keys.
    fn introduction(&self, with_keys: bool) -> Result<Vec<OutboundEdu>, MatrixError> {
        let db = self.runtime.db.as_ref();
        let user_id = self.user_id()?;
        let keys = self.query_keys(QueryKeys { devices: Vec::new(), is_own: false })?;
        let mut devices = self.list_devices(ListDevices {})?;
        devices.retain(|device| !with_keys || keys.devices.contains_key(&device.device_id));
        let mut stream = Stream::load(db)?;
        let mut edus = Vec::new();
        let mut previous = None;
        for device in devices {
            let id = UInt::new(stream.advance()).unwrap_or_default();
            let mut content = DeviceListUpdateContent::new(user_id.clone(), device.device_id, id);
            content.prev_id = previous.replace(id).into_iter().collect();
            content.keys = keys.devices.get(&content.device_id).cloned();
            content.device_display_name = device.display_name;
            edus.push(device_edu(&content, to_raw_value(&content)?));
        }
        stream.store(db)?;
        Ok(edus)
    }
}
