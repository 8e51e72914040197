//! The room versions that this server speaks. [room versions]

use ruma::{RoomVersionId, room_version_rules::RoomVersionRules};

use crate::event::Pdu;

/// All of them, oldest first.
pub const SUPPORTED: [RoomVersionId; 12] = [
    RoomVersionId::V1,
    RoomVersionId::V2,
    RoomVersionId::V3,
    RoomVersionId::V4,
    RoomVersionId::V5,
    RoomVersionId::V6,
    RoomVersionId::V7,
    RoomVersionId::V8,
    RoomVersionId::V9,
    RoomVersionId::V10,
    RoomVersionId::V11,
    RoomVersionId::V12,
];

/// The version of new rooms, unless the server or the user asks for another.
pub const DEFAULT: RoomVersionId = RoomVersionId::V12;

/// The rules of a version; `None` if this server does not speak it.
pub fn rules(version: &RoomVersionId) -> Option<RoomVersionRules> {
    SUPPORTED.contains(version).then(|| version.rules()).flatten()
}

/// The version that an `m.room.create` names; the first where it names none, `None` where it names it badly.
pub fn of_create(create: &Pdu) -> Option<RoomVersionId> {
    match create.content_object().get("room_version") {
        Some(version) => RoomVersionId::try_from(&*version.as_str()?).ok(),
        None => Some(RoomVersionId::V1),
    }
}
