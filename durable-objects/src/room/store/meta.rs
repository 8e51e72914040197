//! The room's own row.

use std::rc::Rc;

use ruma::{OwnedRoomId, RoomVersionId, room_version_rules::RoomVersionRules};
use selvedge_protocol::{nid::EventNid, state_tree::StateRoot};

use super::{Store, Writer, pack, unpack};
use crate::{
    database::{DatabaseError, DatabaseExt, Row},
    params,
    rpc::room::LogPosition,
};

const SELECT: &str = "SELECT room_id, version, create_nid, last_nid, last_position, extremities, root, \
     joined, invited, woken_position, import_root, horizon, is_partial, whole_since FROM room";
const UPSERT: &str = "INSERT INTO room (one, room_id, version, create_nid, last_nid, last_position, extremities, \
     root, joined, invited, woken_position, import_root, horizon, is_partial, whole_since) \
     VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
     ON CONFLICT (one) DO UPDATE SET create_nid = excluded.create_nid, last_nid = excluded.last_nid, \
     last_position = excluded.last_position, extremities = excluded.extremities, root = excluded.root, \
     joined = excluded.joined, invited = excluded.invited, woken_position = excluded.woken_position, \
     import_root = excluded.import_root, horizon = excluded.horizon, is_partial = excluded.is_partial, \
     whole_since = excluded.whole_since";

/// What is known of the room as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMeta {
    /// The room's id.
    pub room_id: OwnedRoomId,
    /// Its version; always one that has rules.
    pub version: RoomVersionId,
    /// The `m.room.create` event, once it is there.
    pub create: Option<EventNid>,
    /// The largest nid given out.
    pub last_nid: EventNid,
    /// The log's end.
    pub last_position: LogPosition,
    /// The forward extremities. Empty until the room has an event with known state.
    pub extremities: Vec<EventNid>,
    /// The current state.
    pub root: StateRoot,
    /// How many users are joined in the current state.
    pub joined: u64,
    /// How many users are invited in the current state.
    pub invited: u64,
    /// The depth at which what is here begins: that of the create event, or of the join with which this
    /// server came, last. Nothing below it is asked for as missing: that is history.
    pub horizon: u64,
    /// Up to where all followers were woken.
    pub woken_position: LogPosition,
    /// The state gathered by an import that is under way.
    pub import_root: Option<StateRoot>,
    /// Whether members are missing from the state: it is being fetched.
    pub is_partial: bool,
    /// The position at which the state became whole, last; 0 for a room whose state always was.
    pub whole_since: LogPosition,
}

impl RoomMeta {
    /// A room without events.
    pub fn new(room_id: OwnedRoomId, version: RoomVersionId) -> Self {
        Self {
            room_id,
            version,
            create: None,
            last_nid: EventNid(0),
            last_position: LogPosition(0),
            extremities: Vec::new(),
            root: StateRoot::EMPTY,
            joined: 0,
            invited: 0,
            horizon: 0,
            woken_position: LogPosition(0),
            import_root: None,
            is_partial: false,
            whole_since: LogPosition(0),
        }
    }

    fn read(row: &mut Row) -> Result<Self, DatabaseError> {
        let room_id: String = row.get(0)?;
        let version: String = row.get(1)?;
        let corrupt = |_| DatabaseError::corrupt("the room's own row");
        Ok(Self {
            room_id: OwnedRoomId::try_from(room_id).map_err(corrupt)?,
            version: RoomVersionId::try_from(version).map_err(corrupt)?,
            create: row.get::<Option<u32>>(2)?.map(EventNid),
            last_nid: EventNid(row.get(3)?),
            last_position: LogPosition(row.get(4)?),
            extremities: unpack(&row.get::<Vec<u8>>(5)?)?,
            root: StateRoot(row.get(6)?),
            joined: row.get(7)?,
            invited: row.get(8)?,
            woken_position: LogPosition(row.get(9)?),
            import_root: row.get::<Option<u32>>(10)?.map(StateRoot),
            horizon: row.get(11)?,
            is_partial: row.get(12)?,
            whole_since: LogPosition(row.get(13)?),
        })
    }
}

impl Store {
    /// The room's row; `None` while nothing is known of the room.
    pub fn find_meta(&self) -> Result<Option<Rc<RoomMeta>>, DatabaseError> {
        if let Some(meta) = self.inner.meta.borrow().as_ref() {
            return Ok(Some(Rc::clone(meta)));
        }
        let meta = self.db().query_first(SELECT, params![], RoomMeta::read)?.map(Rc::new);
        self.inner.meta.borrow_mut().clone_from(&meta);
        Ok(meta)
    }

    /// The room's row, of a room that is known to exist.
    pub fn meta(&self) -> Result<Rc<RoomMeta>, DatabaseError> {
        self.find_meta()?.ok_or_else(|| DatabaseError::corrupt("the room has no row of its own"))
    }

    /// The rules of the room's version.
    pub fn rules(&self) -> Result<Rc<RoomVersionRules>, DatabaseError> {
        if let Some(rules) = self.inner.rules.borrow().as_ref() {
            return Ok(Rc::clone(rules));
        }
        let version = &self.meta()?.version;
        let rules = version.rules().ok_or_else(|| DatabaseError::corrupt("room version without rules"))?;
        let rules = Rc::new(rules);
        *self.inner.rules.borrow_mut() = Some(Rc::clone(&rules));
        Ok(rules)
    }
}

impl Writer<'_> {
    /// Writes the room's row.
    pub fn set_meta(&mut self, meta: RoomMeta) -> Result<(), DatabaseError> {
        self.db().execute(
            UPSERT,
            params![
                meta.room_id.as_str(),
                meta.version.as_str(),
                meta.create.map(|nid| nid.0),
                meta.last_nid.0,
                meta.last_position.0,
                &pack(&meta.extremities),
                meta.root.0,
                meta.joined,
                meta.invited,
                meta.woken_position.0,
                meta.import_root.map(|root| root.0),
                meta.horizon,
                meta.is_partial,
                meta.whole_since.0,
            ],
        )?;
        *self.inner.meta.borrow_mut() = Some(Rc::new(meta));
        Ok(())
    }
}
