//! Who in the room hears of presence.

use ruma::events::room::member::MembershipState;

use super::{RoomEngine, state::State};
use crate::{
    matrix_error::MatrixError,
    rpc::room::{Audience, GetAudience},
};

/// In rooms with more joined users of this server nobody is told: each change of one would cost a
/// call to each of the others.
const MAX_USERS: u32 = 100;
/// The same for other servers.
const MAX_SERVERS: u32 = 50;

impl RoomEngine {
    pub(super) fn get_audience(&self, command: GetAudience) -> Result<Audience, MatrixError> {
        let state = State::current(&self.store)?;
        let mut of = Vec::new();
        for user_id in command.of {
            if state.membership(&user_id)? == MembershipState::Join {
                of.push(user_id);
            }
        }
        let users = self.store.joined_local("", MAX_USERS.saturating_add(1))?;
        let servers = self.store.resident_servers("", MAX_SERVERS.saturating_add(1))?;
        let is_large = |count: usize, limit: u32| u32::try_from(count).is_ok_and(|count| count > limit);
        if of.is_empty() || is_large(users.len(), MAX_USERS) || is_large(servers.len(), MAX_SERVERS) {
            return Ok(Audience::default());
        }
        Ok(Audience { of, users, servers: servers.into_iter().map(|server| server.name).collect() })
    }
}
