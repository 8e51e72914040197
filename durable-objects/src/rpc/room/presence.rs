//! Who hears of presence.

use ruma::{OwnedServerName, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::command;

/// Who in the room is to hear how some users appear? Nobody, in a room with very many people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetAudience {
    /// The users.
    pub of: Vec<OwnedUserId>,
}
command!(GetAudience to Room -> Audience);

/// See [`GetAudience`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// Those of the users who are joined to the room.
    pub of: Vec<OwnedUserId>,
    /// The joined users of this server.
    pub users: Vec<OwnedUserId>,
    /// The other servers that take part.
    pub servers: Vec<OwnedServerName>,
}
