//! Invitations of other servers' users `[S-S §13]`.

use std::rc::Rc;

use serde_json::{Value, json, value::RawValue};

use crate::{
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        commit::{NewEvent, Received, RemoteEvent},
    },
    rpc::room::{CommitInvitation, DraftInvitation, DraftedInvitation},
};

impl RoomEngine {
    pub(in crate::room) async fn draft_invitation(
        self: &Rc<Self>,
        command: DraftInvitation,
    ) -> Result<DraftedInvitation, MatrixError> {
        let pen = self.pen().await?;
        let mut content = command.content;
        content.insert("membership".to_owned(), json!("invite"));
        let content = Value::Object(content).to_string();
        let event = NewEvent::state(command.sender, "m.room.member", command.target.as_str(), content);
        let event = self.draft(&pen.author(), &event)?;
        // The other server sees it before the room does.
        let event = self.recommended(event).await?;
        Ok(DraftedInvitation {
            version: self.store.meta()?.version.clone(),
            event: RawValue::from_string(event.into_json())?,
            room_state: self.shown_state()?,
        })
    }

    pub(in crate::room) async fn commit_invitation(
        self: &Rc<Self>,
        command: CommitInvitation,
    ) -> Result<(), MatrixError> {
        let pdu = command
            .event
            .open()
            .map_err(|error| MatrixError::bad_gateway(format!("Not an event: {error}")))?;
        let local = self.runtime.platform.config().server_name.clone();
        // The other server may have lost a signature, or the room has got a policy server meanwhile.
        let pdu = self.recommended_verified(pdu).await?;
        let event = RemoteEvent { pdu, told: None, broadcast: true, refusal: None };
        let (received, effects) = self.receive(&local, &event)?;
        self.tell(effects).await?;
        match received {
            Received::Accepted(_) | Received::Known => Ok(()),
            Received::Rejected(rule) | Received::SoftFailed(rule) => {
                Err(MatrixError::forbidden(format!("Not allowed: {rule}")))
            }
            Received::Missing { .. } | Received::Unconnected => {
                Err(MatrixError::internal("A drafted invitation does not fit the room"))
            }
        }
    }
}
