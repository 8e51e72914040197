//! Which rooms have something for a client, and how far it has seen them.

use std::collections::BTreeSet;

use ruma::events::room::member::MembershipState;

use super::{Asked, chosen};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::{
        room::LogPosition,
        sync_token::SyncToken,
        user::{ChangedRoom, RawJson, Standing},
    },
    user::{UserEngine, membership::Membership},
};

impl UserEngine {
    /// The rooms with something for the client.
    pub(super) fn changed_rooms(&self, asked: &Asked) -> Result<Vec<ChangedRoom>, MatrixError> {
        let memberships = self.memberships();
        let (mut changed, mut stirred) = (BTreeSet::new(), BTreeSet::new());
        let mut rows = Vec::new();
        if let Some(since) = &asked.since {
            changed.extend(asked.stream.changed_since(since.stream));
            stirred.extend(self.volatile.stirred_since(since));
            changed.extend(&stirred);
            let numbers: Vec<u32> = changed.iter().copied().collect();
            rows.extend(memberships.of_numbers(&numbers)?);
        }
        if asked.all_rooms {
            let mut kinds = vec![MembershipState::Join, MembershipState::Invite, MembershipState::Knock];
            if asked.filter.room.include_leave && asked.since.is_none() {
                kinds.extend([MembershipState::Leave, MembershipState::Ban]);
            }
            rows.extend(memberships.of_kinds(&kinds)?);
        }
        rows.sort_by_key(|row| row.room);
        rows.dedup_by_key(|row| row.room);
        let rows = rows.into_iter().filter(|row| chosen::lets_through(&asked.filter, &row.room_id));
        let mut rooms = Vec::new();
        for row in rows {
            if self.hides_invitation(&row)? {
                continue;
            }
            if let Some(standing) = standing(asked, &row)? {
                rooms.push(ChangedRoom {
                    number: row.room,
                    changed_at: asked.stream.changed_at(row.room),
                    is_stirred: stirred.contains(&row.room),
                    standing,
                    account_data: Vec::new(),
                    room_id: row.room_id,
                });
            }
        }
        self.add_account_data(asked, &mut rooms)?;
        Ok(rooms)
    }
}

/// How the user stands to a room, as the client is to see it; `None` when it has nothing for the client.
fn standing(asked: &Asked, row: &Membership) -> Result<Option<Standing>, DatabaseError> {
    let is_new = row.since > asked.position() || asked.since.is_none();
    let shown = || Ok::<_, DatabaseError>(row.shown()?.map(RawJson));
    Ok(match row.membership {
        MembershipState::Join => {
            let seen = asked.since.as_ref().and_then(|since| seen(since, row));
            let (from, before) = if is_new { (None, seen) } else { (seen, None) };
            Some(Standing::Joined { from, before })
        }
        MembershipState::Invite if is_new => shown()?.map(Standing::Invited),
        MembershipState::Knock if is_new => shown()?.map(Standing::Knocked),
        // That a forgotten room was left is news to the user's other devices.
        MembershipState::Leave | MembershipState::Ban
            if is_new && (asked.since.is_some() || !row.is_forgotten) =>
        {
            Some(if row.is_from_outside {
                Standing::Declined(shown()?)
            } else {
                Standing::Left { from: asked.since.as_ref().and_then(|since| seen(since, row)) }
            })
        }
        _ => None,
    })
}

/// How far a client with this token has seen a room.
pub(in crate::user) fn seen(token: &SyncToken, row: &Membership) -> Option<LogPosition> {
    let carried = token.seen.iter().find(|seen| seen.room == row.room);
    carried.map_or_else(|| row.seen.at(token.chain, token.stream), |seen| Some(seen.position))
}
