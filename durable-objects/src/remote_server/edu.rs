//! EDUs of the server: each goes to the actor that it concerns `[S-S §5]`.

use std::collections::BTreeSet;

use ruma::{
    OwnedUserId, UserId,
    api::federation::transactions::edu::{DeviceListUpdateContent, DirectDeviceContent},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::RemoteServerEngine;
use crate::{
    matrix_error::MatrixError,
    rpc::{self, remote_server::InboundEdu, user::DeliverToDevice},
};

impl RemoteServerEngine {
    /// Hands EDUs on, in order. One that is malformed, or that nobody takes, is left out. Gives the failure of a part
    /// of this server, if any failed: to hand them on again does no harm.
    pub(super) async fn dispatch_edus(&self, edus: Vec<InboundEdu>) -> Option<MatrixError> {
        let (mut changed, mut failure) = (BTreeSet::new(), None);
        for edu in edus {
            if let Err(error) = self.dispatch_edu(&edu, &mut changed).await {
                crate::log::warn("edu", &format!("{} of {}: {error}", edu.edu_type, self.runtime.name));
                failure = failure.or(Some(error).filter(|error| error.status >= 500));
            }
        }
        failure.or(self.devices_changed(changed).await.err())
    }

    /// Users whose devices or keys changed are added to `changed`.
    async fn dispatch_edu(
        &self,
        edu: &InboundEdu,
        changed: &mut BTreeSet<OwnedUserId>,
    ) -> Result<(), MatrixError> {
        match edu.edu_type.as_str() {
            "m.device_list_update" | "m.signing_key_update" => {
                changed.extend(self.take_keys_update(edu)?);
                Ok(())
            }
            "m.direct_to_device" => self.deliver_to_devices(parse(&edu.content)?).await,
            "m.typing" => self.hand_on_typing(parse(&edu.content)?).await,
            "m.receipt" => self.hand_on_receipts(parse(&edu.content)?).await,
            "m.presence" => self.hand_on_presence(&edu.content).await,
            // What is not known here may be known to later versions of the protocol.
            _ => Ok(()),
        }
    }

    /// Whose devices or keys changed, if that may be news to anyone. What the update says is taken over if it can be; else what is remembered of the user
    /// is not right any more.
    fn take_keys_update(&self, edu: &InboundEdu) -> Result<Option<OwnedUserId>, MatrixError> {
        #[derive(Deserialize)]
        struct Of {
            user_id: OwnedUserId,
        }
        let Of { user_id } = parse(&edu.content)?;
        self.check_is_of_server(&user_id)?;
        match parse::<DeviceListUpdateContent>(&edu.content) {
            Ok(update) if edu.edu_type == "m.device_list_update" => {
                Ok(self.take_device_update(&update)?.then_some(user_id))
            }
            _ => {
                self.take_unnumbered_update(&user_id)?;
                Ok(Some(user_id))
            }
        }
    }

    /// Messages to devices of users of this server.
    async fn deliver_to_devices(&self, content: DirectDeviceContent) -> Result<(), MatrixError> {
        self.check_is_of_server(&content.sender)?;
        let platform = self.runtime.platform.as_ref();
        let own = platform.config().server_name.clone();
        let mut failure = Ok(());
        for (user_id, messages) in content.messages {
            if user_id.server_name() != own {
                continue;
            }
            let messages = messages.into_iter().map(|(device, content)| (device, content.into_json()));
            let command = DeliverToDevice {
                sender: content.sender.clone(),
                message_id: content.message_id.to_string(),
                event_type: content.ev_type.to_string(),
                messages: messages.collect(),
            };
            if let Err(error) = rpc::call(platform, user_id.localpart(), &command).await
                && error.status >= 500
            {
                failure = Err(error);
            }
        }
        failure
    }

    /// `M_FORBIDDEN` for a user of another server: nobody speaks for those but their own.
    pub(super) fn check_is_of_server(&self, user_id: &UserId) -> Result<(), MatrixError> {
        if user_id.server_name() == self.server_name()? {
            return Ok(());
        }
        Err(MatrixError::forbidden(format!("{user_id} is not a user of this server")))
    }
}

fn parse<T: DeserializeOwned>(content: &RawValue) -> Result<T, MatrixError> {
    serde_json::from_str(content.get()).map_err(|error| MatrixError::bad_json(error.to_string()))
}
