//! What this server does for others as one that takes part in the room: it lets their users join,
//! leave and knock, and has them agree to invitations `[S-S §10 to §13]`.

mod answer;
mod invitation;

use std::rc::Rc;

use ruma::{
    OwnedRoomId, OwnedUserId, ServerName, UserId, api::error::ErrorCode,
    events::room::member::MembershipState,
};
use selvedge_protocol::event::Pdu;
use serde_json::{json, value::RawValue};

use super::{
    RoomEngine,
    commit::{NewEvent, Received},
    inbound::Gather,
    state::State,
};
use crate::{
    matrix_error::MatrixError,
    rpc::{
        self,
        room::{AcceptMembership, AcceptedMembership, AdmitsServer, ProposeMembership, ProposedMembership},
    },
};

impl RoomEngine {
    pub(super) async fn propose_membership(
        self: &Rc<Self>,
        command: ProposeMembership,
    ) -> Result<ProposedMembership, MatrixError> {
        self.require_part(&command.server)?;
        let version = self.store.meta()?.version.clone();
        if !command.versions.is_empty() && !command.versions.contains(&version) {
            let text = "Your server does not speak the room's version";
            let error = MatrixError::new(400, ErrorCode::IncompatibleRoomVersion, text);
            return Err(error.with("room_version", json!(version)));
        }
        let mut content =
            serde_json::Map::from_iter([("membership".to_owned(), json!(command.membership.as_str()))]);
        if command.membership == MembershipState::Join
            && let Some(authoriser) = self.authorise_join(&command.user_id).await?
        {
            content.insert("join_authorised_via_users_server".to_owned(), json!(authoriser));
        }
        let user_id = command.user_id;
        let content = serde_json::Value::Object(content).to_string();
        let event = NewEvent::state(user_id.clone(), "m.room.member", user_id.as_str(), content);
        let pen = self.pen().await?;
        let event = self.template(&pen.author(), &event)?;
        Ok(ProposedMembership { version, event: RawValue::from_string(event)? })
    }

    /// `M_NOT_FOUND` in a room that this server takes no part in, `M_FORBIDDEN` for a server that the room bans.
    fn require_part(&self, server: &ServerName) -> Result<(), MatrixError> {
        if !self.takes_part()? {
            return Err(MatrixError::not_found("This server takes no part in the room"));
        }
        if self.is_partial()? {
            return Err(MatrixError::not_found("This server does not know all of the room yet"));
        }
        if !self.is_admitted(server)? {
            return Err(MatrixError::forbidden("Your server is banned from the room"));
        }
        Ok(())
    }

    /// Who of this server's users lets a user into the room, if it is restricted and the user is not invited.
    ///
    /// `M_UNABLE_TO_AUTHORISE_JOIN` when this server cannot tell whether the user may, and
    /// `M_UNABLE_TO_GRANT_JOIN` when none of its users has the power to let them.
    async fn authorise_join(&self, user_id: &UserId) -> Result<Option<OwnedUserId>, MatrixError> {
        let Some(allowed) = self.restricted_to()? else { return Ok(None) };
        let membership = State::current(&self.store)?.membership(user_id)?;
        if matches!(membership, MembershipState::Invite | MembershipState::Join) {
            return Ok(None);
        }
        if membership == MembershipState::Ban {
            return Err(MatrixError::forbidden("The user is banned from the room"));
        }
        if !self.is_in_any(user_id, allowed.clone()).await? {
            if self.knows_all(&allowed).await? {
                let text = "The user is neither invited nor in a room that lets them join this one";
                return Err(MatrixError::forbidden(text));
            }
            let text = "This server cannot tell whether the user may join";
            return Err(MatrixError::new(400, ErrorCode::UnableToAuthorizeJoin, text));
        }
        let authoriser = self.find_authoriser()?.ok_or_else(|| {
            let text = "No user of this server has the power to let the user in";
            MatrixError::new(400, ErrorCode::UnableToGrantJoin, text)
        })?;
        Ok(Some(authoriser))
    }

    /// Whether this server takes part in all of these rooms.
    async fn knows_all(&self, rooms: &[OwnedRoomId]) -> Result<bool, MatrixError> {
        let platform = self.runtime.platform.as_ref();
        let server = platform.config().server_name.clone();
        for room_id in rooms {
            if !rpc::call(platform, room_id, &AdmitsServer { server: server.clone() }).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn accept_membership(
        self: &Rc<Self>,
        command: AcceptMembership,
    ) -> Result<AcceptedMembership, MatrixError> {
        self.require_part(&command.server)?;
        let event = command
            .event
            .open()
            .map_err(|error| MatrixError::invalid_param(format!("Not an event: {error}")))?;
        self.check_authoriser(&event).await?;
        let event = self.recommended_verified(event).await?;
        let event_id = event.event_id().to_owned();
        let json = RawValue::from_string(event.json().to_owned())?;
        let gather = Gather::new(self, command.server)?;
        match gather.receive_connecting(event, true).await {
            Ok(Received::Accepted(_) | Received::Known) => {}
            Ok(Received::Rejected(rule) | Received::SoftFailed(rule)) => {
                return Err(MatrixError::forbidden(format!("Not allowed: {rule}")));
            }
            Ok(Received::Missing { .. } | Received::Unconnected) => {
                return Err(MatrixError::invalid_param("The event does not fit the room"));
            }
            Err(error) => return Err(MatrixError::invalid_param(error.refusal()?)),
        }
        let event = self.store.find_event(&event_id)?;
        let event = event.ok_or_else(|| MatrixError::internal("A member event was not stored"))?;
        let answer = self.answer_with(&event, command.answer)?;
        Ok(AcceptedMembership { event: Some(json), ..answer })
    }

    /// A join that names one of this server's users as who let it happen is one that this server would allow.
    async fn check_authoriser(&self, event: &Pdu) -> Result<(), MatrixError> {
        let Some(authoriser) = event.content_str("join_authorised_via_users_server") else { return Ok(()) };
        let local = self.runtime.platform.config().server_name.clone();
        if <&UserId>::try_from(&*authoriser).is_ok_and(|user| user.server_name() == local) {
            self.authorise_join(event.sender()).await?;
        }
        Ok(())
    }
}
