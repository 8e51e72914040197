//! The current state moves: who is in the room is counted anew, by what differs.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedServerName, OwnedUserId};
use selvedge_protocol::{
    nid::EventNid,
    state_tree::{self, Difference, StateRoot},
};

use super::{MembershipChange, Session};
use crate::{
    database::DatabaseError,
    room::store::{LocalMember, MemberRow, ResidentServer},
};

/// How many differences are looked at in one query.
const BATCH: usize = 500;

/// Whose being in the room is no news to those who follow members' devices.
#[derive(Debug, Default)]
pub(super) enum Filling {
    /// Nobody's.
    #[default]
    Nothing,
    /// Everyone's.
    All,
    /// That of all who did not come by one of these events: they were there, and it was not known.
    AllButBy(BTreeSet<EventNid>),
}

impl Filling {
    fn is_known(&self, by: Option<EventNid>, came: bool) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::AllButBy(events) => came && by.is_none_or(|by| !events.contains(&by)),
        }
    }
}

impl Session<'_, '_> {
    /// Makes `root` the current state. What it costs follows what differs from the one before.
    pub(super) fn move_root(&mut self, root: StateRoot) -> Result<(), DatabaseError> {
        let before = self.meta.root;
        self.meta.root = root;
        // A room that was empty is new to whoever follows it: they ask for all members.
        self.filling = if before == StateRoot::EMPTY { Filling::All } else { Filling::Nothing };
        if before == root {
            return Ok(());
        }
        let mut servers = BTreeMap::new();
        self.count_between(before, root, &mut servers)?;
        self.count_servers(servers)
    }

    /// Counts who is in the room by what differs between two states; of servers, adds it to `servers`.
    pub(super) fn count_between(
        &mut self,
        before: StateRoot,
        after: StateRoot,
        servers: &mut BTreeMap<OwnedServerName, i64>,
    ) -> Result<(), DatabaseError> {
        let differences = state_tree::diff(&*self.writer, before, after)?;
        differences.chunks(BATCH).try_for_each(|batch| self.count_members(batch, servers))
    }

    /// Counts joined users of other servers.
    pub(super) fn count_servers(
        &mut self,
        servers: BTreeMap<OwnedServerName, i64>,
    ) -> Result<(), DatabaseError> {
        for (name, change) in servers.into_iter().filter(|(_, change)| *change != 0) {
            self.count_server(name, change)?;
        }
        Ok(())
    }

    fn count_members(
        &mut self,
        differences: &[Difference],
        servers: &mut BTreeMap<OwnedServerName, i64>,
    ) -> Result<(), DatabaseError> {
        let nids: Vec<_> =
            differences.iter().flat_map(|difference| [difference.left, difference.right]).flatten().collect();
        let members: BTreeMap<_, _> =
            self.writer.members_of(&nids)?.into_iter().map(|member| (member.nid, member)).collect();
        for difference in differences {
            let member = |nid: Option<EventNid>| nid.and_then(|nid| members.get(&nid));
            let (left, right) = (member(difference.left), member(difference.right));
            if let Some(either) = left.or(right) {
                let membership = |member: Option<&MemberRow>| {
                    member.and_then(|member| member.membership.clone()).unwrap_or_else(|| "leave".to_owned())
                };
                let Ok(user_id) = OwnedUserId::try_from(either.user_id.as_str()) else { continue };
                self.count_member(user_id, &membership(left), membership(right), difference.right, servers)?;
            }
        }
        Ok(())
    }

    fn count_member(
        &mut self,
        user_id: OwnedUserId,
        before: &str,
        after: String,
        nid: Option<EventNid>,
        servers: &mut BTreeMap<OwnedServerName, i64>,
    ) -> Result<(), DatabaseError> {
        let change = |of: &str| i64::from(after == of).saturating_sub(i64::from(before == of));
        self.meta.joined = self.meta.joined.saturating_add_signed(change("join"));
        self.meta.invited = self.meta.invited.saturating_add_signed(change("invite"));
        if change("join") != 0 && !self.filling.is_known(nid, change("join") > 0) {
            self.writer.set_device_list_change(&user_id, self.meta.last_position)?;
        }
        let residents = &mut self.effects.residents;
        if user_id.server_name() != self.local {
            if change("join") < 0 {
                residents.users_left.push(user_id.clone());
            }
            let count = servers.entry(user_id.server_name().to_owned()).or_default();
            *count = count.saturating_add(change("join"));
            return Ok(());
        }
        residents.locals_left |= change("join") < 0;
        let position = self.meta.last_position;
        let member = LocalMember { user_id, membership: after, nid, position };
        self.writer.set_local_member(&member)?;
        let user_id = member.user_id;
        self.effects.memberships.retain(|change| change.user_id != user_id);
        self.effects.memberships.push(MembershipChange { user_id, nid, position });
        Ok(())
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
                self.effects.residents.servers_came.push(server.name.clone());
                server.since = position;
                server.until = None;
            }
            (true, false) => server.until = Some(position),
            _ => {}
        }
        self.writer.set_server(&server)
    }
}
