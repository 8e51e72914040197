//! Events of rooms that this server takes no part in. One kind of them matters: what ends an invitation
//! of a user of this server.

use ruma::{OwnedRoomId, OwnedUserId, events::room::member::MembershipState};
use selvedge_protocol::{event::Pdu, room_version};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::verify::verify_pdu;
use crate::{
    matrix_error::MatrixError,
    platform::Platform,
    rpc::{
        self,
        user::{GetMembership, RoomMembership, SetMembership},
    },
};

/// The room, user and sender of an event that puts a user out of a room; `None` for other events.
fn departure(json: &str) -> Option<(OwnedRoomId, OwnedUserId, OwnedUserId)> {
    #[derive(Deserialize)]
    struct Event {
        room_id: OwnedRoomId,
        sender: OwnedUserId,
        #[serde(rename = "type")]
        event_type: String,
        state_key: OwnedUserId,
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        membership: MembershipState,
    }
    let event: Event = serde_json::from_str(json).ok()?;
    let is_departure = event.event_type == "m.room.member"
        && matches!(event.content.membership, MembershipState::Leave | MembershipState::Ban);
    is_departure.then_some((event.room_id, event.state_key, event.sender))
}

/// Takes an event of a room of which nothing is known here, as it came. Believed if it is rightly signed, and by who
/// invited the user: nobody else's power in the room can be told from here.
pub async fn receive_unverified(platform: &dyn Platform, json: &str) -> Result<(), MatrixError> {
    let Some(known) = ended_invitation(platform, json).await? else { return Ok(()) };
    let Some(rules) = known.version.as_ref().and_then(room_version::rules) else { return Ok(()) };
    match verify_pdu(platform, json, &rules).await {
        Ok(event) => end(platform, &event).await,
        Err(_) => Ok(()),
    }
}

/// The same for an event that was verified.
pub async fn receive(platform: &dyn Platform, event: &Pdu) -> Result<(), MatrixError> {
    match ended_invitation(platform, event.json()).await? {
        Some(_) => end(platform, event).await,
        None => Ok(()),
    }
}

/// The invitation that an event ends, if it does.
async fn ended_invitation(
    platform: &dyn Platform,
    json: &str,
) -> Result<Option<RoomMembership>, MatrixError> {
    let Some((room_id, user_id, sender)) = departure(json) else { return Ok(None) };
    if user_id.server_name() != platform.config().server_name {
        return Ok(None);
    }
    let known = rpc::call(platform, user_id.localpart(), &GetMembership { room_id }).await?;
    Ok(known.filter(|known| known.membership == MembershipState::Invite && known.sender == sender))
}

async fn end(platform: &dyn Platform, event: &Pdu) -> Result<(), MatrixError> {
    let Some((room_id, user_id, sender)) = departure(event.json()) else { return Ok(()) };
    let membership = event.content_str("membership").unwrap_or_default();
    let command = SetMembership {
        room_id,
        membership: MembershipState::from(&*membership),
        position: None,
        sender,
        stripped_state: Vec::new(),
        event: Some(client_event(event)?),
        predecessor: None,
    };
    rpc::call(platform, user_id.localpart(), &command).await
}

/// A member event as clients see it.
pub fn client_event(event: &Pdu) -> Result<Box<RawValue>, MatrixError> {
    let json = json!({
        "content": serde_json::from_str::<Value>(event.content_json())?,
        "event_id": event.event_id(),
        "origin_server_ts": event.origin_server_ts(),
        "sender": event.sender(),
        "state_key": event.state_key(),
        "type": event.event_type(),
    });
    Ok(serde_json::value::to_raw_value(&json)?)
}
