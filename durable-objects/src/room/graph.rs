//! Walks over the room's graphs of events, for other servers.

use std::{collections::BTreeSet, rc::Rc};

use ruma::{EventId, OwnedEventId, OwnedServerName, ServerName, UserId};
use selvedge_protocol::{
    auth::AuthState,
    nid::{EventNid, StateKeyNid},
    state_tree::StateRoot,
    visibility::{self, ServerStanding},
};

use super::{
    state::State,
    store::{Standing, Store, StoredEvent},
};
use crate::{database::DatabaseError, sorted::SortedMap};

/// How many events a walk looks at for each that it may return.
const PATIENCE: usize = 10;

/// All events that lead to `events` by `auth_events`; of these themselves only those that another of
/// them leads to. Ascending by number, in which the events that an event cites need not come before it.
pub fn auth_chain(
    store: &Store,
    events: impl IntoIterator<Item = Result<EventNid, DatabaseError>>,
) -> Result<BTreeSet<EventNid>, DatabaseError> {
    let mut chain = BTreeSet::new();
    for event in events {
        let mut stack = vec![event?];
        while let Some(nid) = stack.pop() {
            for cited in store.event_row(nid)?.auth_events.iter() {
                if chain.insert(*cited) {
                    stack.push(*cited);
                }
            }
        }
    }
    if let Some(create) = store.meta()?.create.filter(|_| !chain.is_empty()) {
        // Since room version 12 no event cites it, and all depend on it.
        chain.insert(create);
    }
    Ok(chain)
}

/// The events between `latest` and `earliest`, both left out: what `get_missing_events` answers
/// `[S-S §9]`. At most `limit`, the latest, oldest first.
pub fn missing_events(
    store: &Store,
    earliest: &[OwnedEventId],
    latest: &[OwnedEventId],
    min_depth: u64,
    limit: usize,
) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
    let mut walk = Walk::new(store, earliest);
    for id in latest {
        if let Some(event) = find_served(store, id)? {
            walk.seen.insert(event.nid);
            walk.add_prevs(&event)?;
        }
    }
    let mut events = walk.take(limit, |event| event.pdu.depth() >= min_depth)?;
    events.reverse();
    Ok(events)
}

/// `from` and the events before them, latest first, at most `limit`: what `backfill` answers `[S-S §9]`.
pub fn backfill(
    store: &Store,
    from: &[OwnedEventId],
    limit: usize,
) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
    let mut walk = Walk::new(store, &[]);
    for id in from {
        if let Some(event) = find_served(store, id)? {
            walk.add(event);
        }
    }
    walk.take(limit, |_| true)
}

/// The event with this id, if it has a place in the DAG and was not rejected.
pub fn find_served(store: &Store, id: &EventId) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
    Ok(store.find_event(id)?.filter(|event| !event.is_outlier() && event.standing != Standing::Rejected))
}

/// A walk back over previous events, the deepest first.
struct Walk<'a> {
    store: &'a Store,
    seen: BTreeSet<EventNid>,
    ends: BTreeSet<&'a OwnedEventId>,
    waiting: SortedMap<(u64, EventNid), Rc<StoredEvent>>,
}

impl<'a> Walk<'a> {
    fn new(store: &'a Store, ends: &'a [OwnedEventId]) -> Self {
        Self { store, seen: BTreeSet::new(), ends: ends.iter().collect(), waiting: SortedMap::new() }
    }

    fn add(&mut self, event: Rc<StoredEvent>) {
        if self.seen.insert(event.nid) {
            self.waiting.insert((event.pdu.depth(), event.nid), event);
        }
    }

    fn add_prevs(&mut self, event: &StoredEvent) -> Result<(), DatabaseError> {
        for id in event.pdu.prev_events() {
            if self.ends.contains(id) {
                continue;
            }
            // The walk goes on through what was rejected, for others may come before it.
            if let Some(prev) = self.store.find_event(id)?.filter(|prev| !prev.is_outlier()) {
                self.add(prev);
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        limit: usize,
        wanted: impl Fn(&StoredEvent) -> bool,
    ) -> Result<Vec<Rc<StoredEvent>>, DatabaseError> {
        let mut events = Vec::new();
        for _ in 0..limit.saturating_mul(PATIENCE) {
            let Some((_, event)) = self.waiting.pop_last() else { break };
            if !wanted(&event) {
                continue;
            }
            self.add_prevs(&event)?;
            if event.standing != Standing::Rejected {
                events.push(event);
            }
            if events.len() >= limit {
                break;
            }
        }
        Ok(events)
    }
}

/// The room as another server may see it.
pub struct ServerView {
    store: Store,
    server: OwnedServerName,
    /// The member keys of the server's users, read when needed.
    users: Option<Vec<StateKeyNid>>,
    /// What was found for the state that was asked for last.
    last: Option<(StateRoot, ServerStanding)>,
}

impl ServerView {
    /// The room as `server` may see it.
    pub fn new(store: &Store, server: &ServerName) -> Self {
        Self { store: store.clone(), server: server.to_owned(), users: None, last: None }
    }

    /// Whether the server may have an event as it is; if not, it gets the redacted form, where it gets
    /// it at all.
    pub fn shows(&mut self, event: &StoredEvent) -> Result<bool, DatabaseError> {
        let Some(states) = event.states else { return Ok(false) };
        let history = State::at(&self.store, states.before).get("m.room.history_visibility", "")?;
        let history = visibility::history_visibility(history.as_deref());
        let shows = |before| visibility::server_may_see(&event.pdu, &self.server, &history, before);
        // Mostly the members do not matter.
        if shows(ServerStanding::default()) {
            return Ok(true);
        }
        let mut before = self.standing(states.before)?;
        // Of a server that is said to take part, the members may be missing from the state.
        if !before.joined && self.store.meta()?.is_partial {
            let listed = self.store.partial_event(event.nid)?.is_some_and(|event| event.is_partial);
            before.joined = listed && self.store.is_partial_server(&self.server)?;
        }
        Ok(visibility::server_may_see(&event.pdu, &self.server, &history, before))
    }

    fn standing(&mut self, root: StateRoot) -> Result<ServerStanding, DatabaseError> {
        if let Some((of, standing)) = self.last
            && of == root
        {
            return Ok(standing);
        }
        let users = match self.users.take() {
            Some(users) => users,
            None => self.member_keys()?,
        };
        let state = State::at(&self.store, root);
        let mut standing = ServerStanding::default();
        for key in &users {
            let membership = state.nid(*key)?.map(|nid| self.store.membership_of(nid)).transpose()?.flatten();
            standing.joined |= membership.as_deref() == Some("join");
            standing.invited |= membership.as_deref() == Some("invite");
            if standing.joined {
                break;
            }
        }
        self.users = Some(users);
        self.last = Some((root, standing));
        Ok(standing)
    }

    fn member_keys(&self) -> Result<Vec<StateKeyNid>, DatabaseError> {
        const PAGE: u32 = 1_000;
        let mut keys = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.keys_of_type("m.room.member", after.as_deref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(keys) };
            after = Some(last.state_key.clone());
            let of_server = page.iter().filter(|key| {
                <&UserId>::try_from(&*key.state_key).is_ok_and(|user| user.server_name() == self.server)
            });
            keys.extend(of_server.map(|key| key.nid));
        }
    }
}
