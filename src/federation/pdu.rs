//! Events that other servers hand in, on their way to the rooms.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use ruma::{OwnedEventId, OwnedRoomId, RoomId, RoomVersionId, room_version_rules::RoomVersionRules};
use selvedge_durable_objects::{
    federation::verify::verify_parsed,
    matrix_error::MatrixError,
    rpc::room::{CheckedEvent, GetRoomVersion},
};
use selvedge_protocol::{event::Pdu, room_version};
use serde::Deserialize;

use crate::context::Ctx;

/// How many rooms' versions an isolate remembers.
const MAX_CACHED: usize = 10_000;

/// A room version and what is special about it.
#[derive(Clone)]
pub struct Version {
    /// The version.
    pub id: RoomVersionId,
    /// Its rules.
    pub rules: Rc<RoomVersionRules>,
}

impl Version {
    /// A version that this server speaks; `None` for others.
    pub fn of(id: RoomVersionId) -> Option<Self> {
        let rules = Rc::new(room_version::rules(&id)?);
        Some(Self { id, rules })
    }
}

thread_local! {
    static VERSIONS: RefCell<BTreeMap<OwnedRoomId, Version>> = const { RefCell::new(BTreeMap::new()) };
}

/// The version of a room; `None` when this server never had anything of it. It never changes, so it is
/// asked of the room once per isolate.
pub async fn version_of(ctx: &Ctx, room_id: &RoomId) -> Result<Option<Version>, MatrixError> {
    if let Some(version) = VERSIONS.with_borrow(|all| all.get(room_id).cloned()) {
        return Ok(Some(version));
    }
    let version = ctx.call(&room_id.to_owned(), &GetRoomVersion {}).await?.and_then(Version::of);
    if let Some(version) = &version {
        VERSIONS.with_borrow_mut(|all| {
            if all.len() >= MAX_CACHED {
                all.clear();
            }
            all.insert(room_id.to_owned(), version.clone());
        });
    }
    Ok(version)
}

/// An event of another server that is not taken further.
pub enum Refused {
    /// It has no id that its sender could know it by.
    Nameless,
    /// It has an id.
    Named(OwnedEventId, String),
    /// It is of a room that this server knows nothing of.
    UnknownRoom,
}

/// The room that an event says it is of.
fn room_of(json: &str) -> Option<OwnedRoomId> {
    #[derive(Deserialize)]
    struct OfRoom {
        room_id: OwnedRoomId,
    }
    serde_json::from_str(json).ok().map(|OfRoom { room_id }| room_id)
}

/// Finds the room of an event, and verifies the event by the room's version `[S-S §5.1.1, steps 1 to 3]`.
pub async fn check(
    ctx: &Ctx,
    json: &str,
) -> Result<Result<(OwnedRoomId, CheckedEvent), Refused>, MatrixError> {
    let Some(room_id) = room_of(json) else { return Ok(Err(Refused::Nameless)) };
    let Some(version) = version_of(ctx, &room_id).await? else {
        return Ok(Err(Refused::UnknownRoom));
    };
    let Ok(pdu) = Pdu::parse(json, &version.rules) else { return Ok(Err(Refused::Nameless)) };
    let event_id = pdu.event_id().to_owned();
    match verify_parsed(ctx.platform.as_ref(), pdu, &version.rules).await {
        Ok(event) => Ok(Ok((room_id, CheckedEvent::new(event)?))),
        Err(error) => Ok(Err(Refused::Named(event_id, error.to_string()))),
    }
}
