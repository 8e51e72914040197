//! What a room looks like from outside.

use ruma::room::RoomSummary;
use serde::{Deserialize, Serialize};

use crate::{command, rpc::AsJson};

/// The room's summary for the published room directory; `None` when there is no such room. The room tells of later
/// changes, once until it is asked again.
#[derive(Debug, Serialize, Deserialize)]
pub struct PullRoomSummary {}
command!(PullRoomSummary to Room -> AsJson<Option<RoomSummary>>);
