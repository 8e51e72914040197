//! The user's device list as something that others follow: each change has a position in the user's stream, and is
//! told to the user's rooms, which tell their members, and to the other servers in them `[S-S §10.1]`.
//!
//! A change and the note that it is to be told are one transaction; the telling goes on until it is done, if need be
//! by the alarm or the next request after a restart.

use std::{cell::Cell, collections::BTreeSet, rc::Rc};

use futures_util::FutureExt;
use ruma::{
    OwnedServerName, UInt,
    api::federation::transactions::edu::{DeviceListUpdateContent, SigningKeyUpdateContent},
    events::room::member::MembershipState,
};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    concurrent::{each, try_each},
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::{
        self,
        remote_server::{Keep, OutboundEdu, SendEdus},
        room::MemberDevicesChanged,
        user::{ListDevices, QueryKeys},
    },
    user::{UserEngine, sync::Stream},
};

const READ: &str = "SELECT position, device_position FROM device_list";
const WRITE: &str = "INSERT INTO device_list (one, position, device_position) VALUES (1, ?, ?)
    ON CONFLICT (one) DO UPDATE SET position = excluded.position, device_position = excluded.device_position";
const INSERT_NEWS: &str = "INSERT INTO device_list_news (position, previous, device_id) VALUES (?, ?, ?)";
const NEWS: &str = "SELECT position, previous, device_id FROM device_list_news ORDER BY position LIMIT 200";
const DELETE_NEWS: &str = "DELETE FROM device_list_news WHERE position <= ?";

/// How many actors are called at the same time.
pub(super) const CONCURRENCY: usize = 16;
/// When to try again after one could not be called, in milliseconds.
const RETRY_MS: u64 = 5_000;

/// What is known in memory of changes that are to be told.
pub(in crate::user) struct DeviceListNews {
    /// Whether there may be some.
    is_any: Cell<bool>,
    /// Whether they are being told.
    is_telling: Cell<bool>,
}

impl DeviceListNews {
    /// After a start nothing is known.
    pub fn new() -> Self {
        Self { is_any: Cell::new(true), is_telling: Cell::new(false) }
    }

    /// There is something to be told.
    pub(super) fn note(&self) {
        self.is_any.set(true);
    }
}

/// A change that is to be told.
struct News {
    position: u64,
    previous: u64,
    device_id: Option<String>,
}

impl UserEngine {
    /// A device's keys or name changed, or, without a device, the cross-signing keys. In a transaction of the caller.
    pub(in crate::user) fn device_list_changed(&self, device_id: Option<&str>) -> Result<(), DatabaseError> {
        let db = self.runtime.db.as_ref();
        let mut stream = Stream::load(db)?;
        let position = stream.advance();
        stream.store(db)?;
        let (_, previous) = self.device_list_positions()?;
        let device_position = if device_id.is_some() { position } else { previous };
        db.execute(WRITE, params![position, device_position])?;
        db.execute(INSERT_NEWS, params![position, previous, device_id])?;
        self.device_list_news.note();
        Ok(())
    }

    /// The last change, and the last change of a device; 0: none.
    fn device_list_positions(&self) -> Result<(u64, u64), DatabaseError> {
        let row = self.runtime.db.query_first(READ, params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(row.unwrap_or_default())
    }

    /// The position of the last change of a device, which is the stream id for other servers.
    pub(super) fn device_list_position(&self) -> Result<u64, DatabaseError> {
        Ok(self.device_list_positions()?.1)
    }

    /// Whether the user's devices or cross-signing keys changed after a position of the sync stream.
    pub(super) fn has_device_list_changed_since(&self, position: u64) -> Result<bool, DatabaseError> {
        Ok(self.device_list_positions()?.0 > position)
    }

    /// Begins to tell what changed, unless that is under way.
    pub(in crate::user) fn tell_device_list_news(self: &Rc<Self>) {
        if !self.device_list_news.is_any.get() || self.device_list_news.is_telling.replace(true) {
            return;
        }
        let engine = Rc::clone(self);
        let task = async move {
            let told = engine.tell_all_news().await;
            engine.device_list_news.is_telling.set(false);
            if let Err(error) = told {
                crate::log::warn("device list", &error.to_string());
                engine.device_list_news.is_any.set(true);
                let platform = &engine.runtime.platform;
                platform.set_alarm(platform.now().saturating_add(RETRY_MS)).await;
            }
        };
        self.runtime.platform.spawn(task.boxed_local());
    }

    async fn tell_all_news(&self) -> Result<(), MatrixError> {
        loop {
            self.device_list_news.is_any.set(false);
            self.tell_introductions().await?;
            let news = self.runtime.db.query(NEWS, params![], |row| {
                Ok(News { position: row.get(0)?, previous: row.get(1)?, device_id: row.get(2)? })
            })?;
            let Some(last) = news.last() else {
                if self.device_list_news.is_any.get() {
                    continue;
                }
                return Ok(());
            };
            let servers = self.tell_rooms().await?;
            self.tell_servers(servers, self.edus(&news)?).await?;
            self.runtime.db.execute(DELETE_NEWS, params![last.position])?;
        }
    }

    /// Tells the user's rooms; the other servers in them.
    async fn tell_rooms(&self) -> Result<BTreeSet<OwnedServerName>, MatrixError> {
        let joined = self.memberships().of_kinds(&[MembershipState::Join])?;
        let command = MemberDevicesChanged { users: vec![self.user_id()?] };
        let platform = self.runtime.platform.as_ref();
        let ask = async |room_id| match rpc::call(platform, &room_id, &command).await {
            Err(error) if error.status < 500 => Ok(Vec::new()),
            answer => answer,
        };
        Ok(try_each(CONCURRENCY, joined.into_iter().map(|row| row.room_id), ask)
            .await?
            .into_iter()
            .flatten()
            .collect())
    }

    pub(super) async fn tell_servers(
        &self,
        servers: BTreeSet<OwnedServerName>,
        edus: Vec<OutboundEdu>,
    ) -> Result<(), MatrixError> {
        let command = SendEdus { edus };
        let platform = self.runtime.platform.as_ref();
        let outcomes = each(CONCURRENCY, servers, |server| rpc::call(platform, &server, &command)).await;
        outcomes.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    /// What other servers are told. A change that another one of the same device follows, and that has not been sent
    /// by then, is left out: the receiver sees by the ids that it missed something, and asks for all.
    fn edus(&self, news: &[News]) -> Result<Vec<OutboundEdu>, MatrixError> {
        let user_id = self.user_id()?;
        let keys = self.query_keys(QueryKeys { devices: Vec::new(), is_own: false })?;
        let devices = self.list_devices(ListDevices {})?;
        let number = |position: u64| UInt::new(position).unwrap_or_default();
        let mut edus = Vec::new();
        for change in news {
            let Some(device_id) = &change.device_id else {
                let mut content = SigningKeyUpdateContent::new(user_id.clone());
                content.master_key.clone_from(&keys.master_key);
                content.self_signing_key.clone_from(&keys.self_signing_key);
                edus.push(OutboundEdu {
                    edu_type: "m.signing_key_update".to_owned(),
                    content: to_raw_value(&content)?,
                    keep: Keep::Latest(format!("signing keys {user_id}")),
                });
                continue;
            };
            let device = device_id.as_str().into();
            let mut content = DeviceListUpdateContent::new(user_id.clone(), device, number(change.position));
            content.prev_id = Some(change.previous).filter(|id| *id > 0).map(number).into_iter().collect();
            content.keys = keys.devices.get(&content.device_id).cloned();
            let device = devices.iter().find(|device| device.device_id == content.device_id);
            content.deleted = Some(device.is_none());
            content.device_display_name = device.and_then(|device| device.display_name.clone());
            edus.push(device_edu(&content, to_raw_value(&content)?));
        }
        Ok(edus)
    }
}

/// An update of a device; a later one of the same device stands for it.
pub(super) fn device_edu(update: &DeviceListUpdateContent, content: Box<RawValue>) -> OutboundEdu {
    OutboundEdu {
        edu_type: "m.device_list_update".to_owned(),
        content,
        keep: Keep::Latest(format!("device {} {}", update.user_id, update.device_id)),
    }
}
