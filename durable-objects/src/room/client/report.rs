//! What is reported to the administrators.

use std::borrow::Cow;

use ruma::events::room::member::MembershipState;
use selvedge_protocol::auth::AuthState;

use super::read_state::raw;
use crate::{
    matrix_error::MatrixError,
    room::{RoomEngine, state::State, view::View},
    rpc::room::{DescribeReported, Reader, Reported},
};

impl RoomEngine {
    pub(in crate::room) fn describe_reported(
        &self,
        command: DescribeReported,
    ) -> Result<Reported, MatrixError> {
        let DescribeReported { reporter, event_id } = command;
        if self.store.find_meta()?.is_none_or(|meta| meta.create.is_none()) {
            return Err(MatrixError::not_found("There is no such room"));
        }
        let state = State::current(&self.store)?;
        let text = |event_type: &str, field: &str| {
            let event = state.get(event_type, "")?;
            Ok::<_, MatrixError>(event.and_then(|event| event.content_str(field).map(Cow::into_owned)))
        };
        let mut event = None;
        if let Some(event_id) = event_id {
            if state.membership(&reporter)? != MembershipState::Join {
                return Err(MatrixError::not_found("There is no such event, or you are not in its room"));
            }
            let reader = Reader { user_id: reporter, device_id: "".into(), ignored_users: Vec::new() };
            let view = View::new(&self.store, &reader, self.runtime.platform.now())?;
            let shown = self.shown_event(&view, &event_id)?;
            event = Some((shown.pdu.sender().to_owned(), raw(shown.pdu.json().to_owned())?));
        }
        Ok(Reported {
            room_name: text("m.room.name", "name")?,
            canonical_alias: text("m.room.canonical_alias", "alias")?,
            event,
        })
    }
}
