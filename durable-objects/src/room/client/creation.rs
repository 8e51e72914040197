//! Making the room.

use std::rc::Rc;

use ruma::{OwnedUserId, api::error::ErrorCode};
use selvedge_protocol::{event::Pdu, room_version};
use serde_json::{Map, json};

use super::membership::member_content;
use crate::{
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        commit::{CommitError, NewEvent},
    },
    rpc::room::{CreateRoom, Invitee},
};

impl RoomEngine {
    pub(in crate::room) async fn create_room(
        self: &Rc<Self>,
        command: CreateRoom,
    ) -> Result<bool, MatrixError> {
        let unknown =
            || MatrixError::new(400, ErrorCode::UnsupportedRoomVersion, "This room version is not supported");
        let rules = room_version::rules(&command.version).ok_or_else(unknown)?;
        let create = Pdu::parse(&command.create, &rules)
            .map_err(|error| MatrixError::bad_json(format!("Not a create event: {error}")))?;
        let creator = create.sender().to_owned();
        let join = member_content("join", &command.creator, Map::new());
        let mut events = vec![NewEvent::state(creator.clone(), "m.room.member", creator.as_str(), join)];
        events.extend(command.state.into_iter().map(|state| {
            NewEvent::state(creator.clone(), &state.event_type, &state.state_key, state.content.get())
        }));
        let invite = |invitee| invitation(&creator, invitee, command.is_direct);
        events.extend(command.invite.into_iter().map(invite));
        let pen = self.pen().await?;
        let created = self.create(&pen.author(), command.version, &create, &events);
        let effects = match created {
            Ok((_, effects)) => effects,
            Err(CommitError::RoomExists) => return Ok(false),
            Err(error) => return Err(refused(error)),
        };
        self.tell_of(effects).await;
        Ok(true)
    }
}

fn invitation(creator: &OwnedUserId, invitee: Invitee, is_direct: bool) -> NewEvent {
    let mut content = Map::new();
    if is_direct {
        content.insert("is_direct".to_owned(), json!(true));
    }
    let content = member_content("invite", &invitee.profile, content);
    NewEvent::state(creator.clone(), "m.room.member", invitee.user_id.as_str(), content)
}

/// What the creator asked for breaks the rules: not of a room that exists, but of the one that they describe.
fn refused(error: CommitError) -> MatrixError {
    match error {
        CommitError::Forbidden(rule) => {
            let text = format!("The initial state is not valid: {rule}");
            MatrixError::new(400, ErrorCode::InvalidRoomState, text)
        }
        error => error.into(),
    }
}
