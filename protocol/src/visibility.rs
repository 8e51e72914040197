//! Who may see which event of a room. [C-S §11.10, history visibility]
//!
//! Two functions decide for everyone: [`user_may_see`] for users, [`server_may_see`] for other servers.

#[cfg(test)]
mod tests;

use ruma::{
    ServerName, UserId,
    events::room::{history_visibility::HistoryVisibility, member::MembershipState},
};

use crate::event::Pdu;

/// The history visibility that an `m.room.history_visibility` sets, or that a room has without one: `shared` where it
/// is absent or not understood.
pub fn history_visibility(event: Option<&Pdu>) -> HistoryVisibility {
    let visibility = event.and_then(|event| event.content_str("history_visibility"));
    match visibility.as_deref() {
        Some("world_readable") => HistoryVisibility::WorldReadable,
        Some("invited") => HistoryVisibility::Invited,
        Some("joined") => HistoryVisibility::Joined,
        _ => HistoryVisibility::Shared,
    }
}

/// The membership that an `m.room.member` sets, or that a user has without one: `leave`.
pub fn membership(event: Option<&Pdu>) -> MembershipState {
    event
        .and_then(|event| event.content_str("membership"))
        .map_or(MembershipState::Leave, |membership| MembershipState::from(&*membership))
}

/// The room as a user stood to it before an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The room's history visibility before the event.
    pub visibility: HistoryVisibility,
    /// The user's membership before the event.
    pub membership: MembershipState,
}

/// Whether a user may see an event.
///
/// `before` is from the state before the event; `joined_since` is whether the user was joined at any time after it,
/// now included. An event that changes the history visibility or the user's own membership is seen by those who may
/// see it before or after the change.
pub fn user_may_see(event: &Pdu, user: &UserId, before: &Standing, joined_since: bool) -> bool {
    if allows(before, joined_since) {
        return true;
    }
    if event.is_state("m.room.history_visibility", "") {
        return allows(
            &Standing { visibility: history_visibility(Some(event)), ..before.clone() },
            joined_since,
        );
    }
    event.is_state("m.room.member", user.as_str())
        && allows(&Standing { membership: membership(Some(event)), ..before.clone() }, joined_since)
}

fn allows(standing: &Standing, joined_since: bool) -> bool {
    match (&standing.visibility, &standing.membership) {
        // 1. World-readable; 2. joined; 4. invited.
        (HistoryVisibility::WorldReadable, _)
        | (_, MembershipState::Join)
        | (HistoryVisibility::Invited, MembershipState::Invite) => true,
        // 3. Shared, and joined since.
        (HistoryVisibility::Shared, _) => joined_since,
        // 5. Otherwise, deny.
        _ => false,
    }
}

/// The users of a server in a room, before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerStanding {
    /// Whether any was joined.
    pub joined: bool,
    /// Whether any was invited.
    pub invited: bool,
}

/// Whether a server that takes part in the room now may have an event.
///
/// What it may not have is left out, or given redacted where the graph of events would break.
pub fn server_may_see(
    event: &Pdu,
    server: &ServerName,
    visibility: &HistoryVisibility,
    before: ServerStanding,
) -> bool {
    // It has what it sent.
    if event.sender().server_name() == server {
        return true;
    }
    let mut after = before;
    if event.event_type() == "m.room.member"
        && event
            .state_key()
            .and_then(|key| <&UserId>::try_from(key).ok())
            .is_some_and(|u| u.server_name() == server)
    {
        let membership = membership(Some(event));
        after.joined |= membership == MembershipState::Join;
        after.invited |= membership == MembershipState::Invite;
    }
    let allows = |visibility: &HistoryVisibility| match visibility {
        HistoryVisibility::Joined => after.joined,
        HistoryVisibility::Invited => after.joined || after.invited,
        _ => true,
    };
    allows(visibility)
        || event.is_state("m.room.history_visibility", "") && allows(&history_visibility(Some(event)))
}
