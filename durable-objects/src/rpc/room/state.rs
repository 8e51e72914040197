//! Reading a room's state.

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::command;

/// The state that the user may see: now for members, as it was when they left for former ones. Replies with an array
/// of events.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetState {
    /// Who asks.
    pub user_id: OwnedUserId,
}
command!(GetState to Room -> Box<RawValue>);

/// One entry of what [`GetState`] shows. `M_NOT_FOUND` when there is none.
#[derive(Debug, Serialize, Deserialize)]
pub struct GetStateEvent {
    /// Who asks.
    pub user_id: OwnedUserId,
    /// The type.
    pub event_type: String,
    /// The state key.
    pub state_key: String,
    /// Whether the whole event is wanted, not its content only.
    pub is_event_wanted: bool,
}
command!(GetStateEvent to Room -> Box<RawValue>);
