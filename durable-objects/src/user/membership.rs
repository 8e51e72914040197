//! The rooms of the user: membership, and the wakes that rooms send.

mod store;

use ruma::{OwnedRoomId, RoomVersionId, api::error::ErrorCode, events::room::member::MembershipState};

use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) use self::store::{Membership, Memberships};
use super::{UserEngine, sync::Stream};
use crate::{
    database::DatabaseExt,
    matrix_error::MatrixError,
    rpc::user::{
        ForgetRoom, GetMembership, JoinedRooms, KnownRooms, RoomChanged, RoomMembership, RoomStirred,
        SetMembership,
    },
};

impl UserEngine {
    pub(super) fn memberships(&self) -> Memberships<'_> {
        Memberships::new(self.runtime.db.as_ref())
    }

    pub(super) fn set_membership(&self, command: SetMembership) -> Result<(), MatrixError> {
        let known = self.memberships().of_room(command.room_id.as_str())?;
        if let (Some(known), Some(position)) = (&known, command.position)
            && known.position >= position
        {
            return Ok(());
        }
        let shown = match command.membership {
            MembershipState::Invite | MembershipState::Knock => {
                Some(serde_json::to_string(&command.stripped_state)?)
            }
            _ => command.event.as_ref().map(|event| event.get().to_owned()),
        };
        let is_new = known.as_ref().is_none_or(|known| known.membership != command.membership);
        let predecessor =
            command.predecessor.filter(|_| is_new && command.membership == MembershipState::Join);
        let room_id = command.room_id.clone();
        if is_new && command.membership == MembershipState::Join {
            self.will_greet(room_id.clone());
        }
        let forgets_left_rooms = self.runtime.platform.config().forget_left_rooms;
        let db = self.runtime.db.as_ref();
        db.transaction(|| -> Result<(), MatrixError> {
            let mut stream = Stream::load(db)?;
            let memberships = self.memberships();
            let mut row = match known {
                Some(known) => known,
                None => memberships.add(&command.room_id, &command.sender)?,
            };
            let position = stream.mark(row.room);
            if row.membership != command.membership {
                row.since = position;
                row.is_forgotten = forgets_left_rooms
                    && matches!(command.membership, MembershipState::Leave | MembershipState::Ban);
            }
            row.membership = command.membership;
            row.position = command.position.unwrap_or(row.position);
            row.is_from_outside = command.position.is_none();
            row.sender = command.sender;
            row.shown = shown;
            memberships.update(&row)?;
            if is_new && row.membership == MembershipState::Join {
                self.introduce_devices(&row.room_id)?;
            }
            Ok(stream.store(db)?)
        })?;
        if let Some(predecessor) = predecessor {
            self.follow_upgrade(&predecessor, &room_id)?;
        }
        self.answer_waiting();
        Ok(())
    }

    pub(super) fn room_changed(&self, command: RoomChanged) -> Result<(), MatrixError> {
        let db = self.runtime.db.as_ref();
        let Some(room) = self.memberships().number(command.room_id.as_str())? else { return Ok(()) };
        let mut stream = Stream::load(db)?;
        // Who has no token that is newer than the room's mark will see the room as changed anyway.
        if stream.changed_at(room) > self.handed_out(stream.position) {
            return Ok(());
        }
        stream.mark(room);
        stream.store(db)?;
        self.answer_waiting();
        Ok(())
    }

    pub(super) fn room_stirred(&self, command: RoomStirred) -> Result<(), MatrixError> {
        if let Some(room) = self.memberships().number(command.room_id.as_str())? {
            self.volatile.stir(room, self.runtime.platform.now());
            self.answer_waiting();
        }
        Ok(())
    }

    pub(super) fn forget_room(&self, command: ForgetRoom) -> Result<(), MatrixError> {
        let row = self.memberships().of_room(command.room_id.as_str())?;
        let mut row = row.ok_or_else(|| MatrixError::not_found("You were never in this room"))?;
        if !matches!(row.membership, MembershipState::Leave | MembershipState::Ban) {
            return Err(MatrixError::new(400, ErrorCode::Unknown, "Leave the room before you forget it"));
        }
        row.is_forgotten = true;
        Ok(self.memberships().update(&row)?)
    }

    pub(super) fn joined_rooms(&self, _: JoinedRooms) -> Result<Vec<OwnedRoomId>, MatrixError> {
        let joined = self.memberships().of_kinds(&[MembershipState::Join])?;
        Ok(joined.into_iter().map(|row| row.room_id).collect())
    }

    pub(super) fn known_rooms(&self, _: KnownRooms) -> Result<Vec<OwnedRoomId>, MatrixError> {
        let kinds = [MembershipState::Join, MembershipState::Leave, MembershipState::Ban];
        let known = self.memberships().of_kinds(&kinds)?;
        Ok(known.into_iter().map(|row| row.room_id).collect())
    }

    pub(super) fn get_membership(
        &self,
        command: GetMembership,
    ) -> Result<Option<RoomMembership>, MatrixError> {
        let row = self.memberships().of_room(command.room_id.as_str())?;
        Ok(row.map(|row| RoomMembership {
            version: version_of(&row),
            membership: row.membership,
            sender: row.sender,
            is_forgotten: row.is_forgotten,
        }))
    }
}

/// The room's version, by the create event that an invitation or the answer to a knock brought.
fn version_of(row: &Membership) -> Option<RoomVersionId> {
    #[derive(Deserialize)]
    struct Shown {
        #[serde(rename = "type")]
        event_type: String,
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        room_version: Option<RoomVersionId>,
    }
    if !matches!(row.membership, MembershipState::Invite | MembershipState::Knock) {
        return None;
    }
    let shown: Vec<Box<RawValue>> = serde_json::from_str(row.shown.as_deref()?).ok()?;
    let shown = shown.iter().filter_map(|event| serde_json::from_str::<Shown>(event.get()).ok());
    let create = shown.into_iter().find(|event| event.event_type == "m.room.create")?;
    Some(create.content.room_version.unwrap_or(RoomVersionId::V1))
}
