//! The current state moves: who is in the room is counted anew, by what differs.

use std::collections::BTreeMap;

use ruma::{OwnedServerName, OwnedUserId};
use selvedge_protocol::{
    nid::EventNid,
    state_tree::{self, StateRoot},
};

use super::{MembershipChange, Session};
use crate::{
    database::DatabaseError,
    room::store::{LocalMember, ResidentServer},
};

impl Session<'_, '_> {
    /// Makes `root` the current state. What it costs follows what differs from the one before.
    pub(super) fn move_root(&mut self, root: StateRoot) -> Result<(), DatabaseError> {
        let before = self.meta.root;
        self.meta.root = root;
        if before == root {
            return Ok(());
        }
        let mut servers: BTreeMap<OwnedServerName, i64> = BTreeMap::new();
        for difference in state_tree::diff(&*self.writer, before, root)? {
            let (event_type, state_key) = self.writer.key_pair(difference.key)?;
            if event_type != "m.room.member" {
                continue;
            }
            let Ok(user_id) = OwnedUserId::try_from(state_key) else { continue };
            self.count_member(user_id, difference.left, difference.right, &mut servers)?;
        }
        for (name, change) in servers.into_iter().filter(|(_, change)| *change != 0) {
            self.count_server(name, change)?;
        }
        Ok(())
    }

    fn count_member(
        &mut self,
        user_id: OwnedUserId,
        left: Option<EventNid>,
        right: Option<EventNid>,
        servers: &mut BTreeMap<OwnedServerName, i64>,
    ) -> Result<(), DatabaseError> {
        let before = self.membership(left)?;
        let after = self.membership(right)?;
        let change = |of: &str| i64::from(after == of).saturating_sub(i64::from(before == of));
        self.meta.joined = self.meta.joined.saturating_add_signed(change("join"));
        self.meta.invited = self.meta.invited.saturating_add_signed(change("invite"));
        if user_id.server_name() != self.local {
            let count = servers.entry(user_id.server_name().to_owned()).or_default();
            *count = count.saturating_add(change("join"));
            return Ok(());
        }
        let position = self.meta.last_position;
        self.writer.set_local_member(&LocalMember {
            user_id: user_id.clone(),
            membership: after,
            nid: right,
            position,
        })?;
        self.effects.memberships.retain(|change| change.user_id != user_id);
        self.effects.memberships.push(MembershipChange { user_id, nid: right, position });
        Ok(())
    }

    fn membership(&self, nid: Option<EventNid>) -> Result<String, DatabaseError> {
        let membership = nid.map(|nid| self.writer.membership_of(nid)).transpose()?.flatten();
        Ok(membership.unwrap_or_else(|| "leave".to_owned()))
    }

    fn count_server(&mut self, name: OwnedServerName, change: i64) -> Result<(), DatabaseError> {
        let position = self.meta.last_position;
        let known = self.writer.server(&name)?;
        let mut server =
            known.unwrap_or(ResidentServer { name, joined: 0, since: position, until: Some(position) });
        let was_here = server.joined > 0;
        server.joined = server.joined.saturating_add_signed(change);
        match (was_here, server.joined > 0) {
            (false, true) => {
                server.since = position;
                server.until = None;
            }
            (true, false) => server.until = Some(position),
            _ => {}
        }
        self.writer.set_server(&server)
    }
}
