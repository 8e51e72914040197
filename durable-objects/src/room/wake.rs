//! The wake: after a commit, followers are told that the log has grown, and fetch what they lack.
//!
//! Local followers are the `User` actors of joined users; remote ones the `RemoteServer` actors of the
//! servers in the room, for entries that this server must give to them. A follower that was woken and
//! has not fetched since is not woken again ([`RoomEngine::pulled_by_user`],
//! [`RoomEngine::pulled_by_server`]). A change of a local user's own membership is always told.
//!
//! The room's row remembers up to which position this is done. After a crash in between, the next
//! request or alarm finishes it.

mod residents;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::Future,
    rc::Rc,
};

use futures_util::FutureExt;
use ruma::{
    OwnedRoomId, OwnedServerName, OwnedUserId, ServerName, UserId,
    events::{AnyStrippedStateEvent, room::member::MembershipState},
    serde::Raw,
};
use selvedge_protocol::{
    auth::AuthState,
    event::Pdu,
    stripped_state::{STRIPPED_STATE_TYPES, strip},
};
use serde_json::value::RawValue;

pub(super) use self::residents::ResidentChanges;
use super::{
    RoomEngine,
    commit::{Effects, MembershipChange},
    state::State,
};
use crate::{
    concurrent::each,
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::{self, room::LogPosition},
    sorted::SortedMap,
};

/// How many followers are called at the same time.
const CONCURRENCY: usize = 32;
/// How many followers are read at a time.
const PAGE: u32 = 256;
/// How many woken followers are remembered; beyond it some are woken once more than needed.
const REMEMBERED: usize = 10_000;
/// When to try again after a follower could not be called, in milliseconds.
const RETRY_MS: u64 = 5_000;

/// What is known in memory of followers and of the wake under way.
#[derive(Default)]
pub(super) struct Wakes {
    /// Users who were woken and have not fetched since.
    users: RefCell<BTreeSet<OwnedUserId>>,
    /// Servers that were woken and have not fetched since.
    servers: RefCell<BTreeSet<OwnedServerName>>,
    /// Servers that have fetched, and up to where; those that the log has left behind are forgotten by the next wake.
    fetched: RefCell<SortedMap<OwnedServerName, LogPosition>>,
    /// Who of other servers came or left, and was not told of yet.
    residents: RefCell<ResidentChanges>,
    /// Membership changes that are not told yet.
    memberships: RefCell<Vec<MembershipChange>>,
    /// Whether there is something for other servers.
    broadcast: Cell<bool>,
    /// Whether a wake is under way.
    is_running: Cell<bool>,
    /// Whether it was looked for a wake that a crash cut short.
    is_recovered: Cell<bool>,
}

fn remember<T: Ord>(set: &RefCell<BTreeSet<T>>, follower: T) {
    let mut set = set.borrow_mut();
    if set.len() >= REMEMBERED {
        set.clear();
    }
    set.insert(follower);
}

/// Whether a follower has to be called again: one that refuses is not.
fn is_lost(outcome: &Result<(), MatrixError>) -> bool {
    outcome.as_ref().is_err_and(|error| error.status >= 500)
}

impl RoomEngine {
    /// Tells followers of a commit, after the answer that is under way.
    pub fn wake(self: &Rc<Self>, effects: Effects) {
        if effects.position.is_none() && effects.memberships.is_empty() && effects.residents.is_empty() {
            return;
        }
        self.wakes.memberships.borrow_mut().extend(effects.memberships);
        self.wakes.residents.borrow_mut().extend(effects.residents);
        self.wakes.broadcast.set(self.wakes.broadcast.get() || effects.broadcast);
        self.start_waking();
    }

    /// The same, but users whose own membership changed are told before this returns: what they ask
    /// their actor next counts with it.
    pub async fn tell(self: &Rc<Self>, mut effects: Effects) -> Result<(), DatabaseError> {
        let changes = std::mem::take(&mut effects.memberships);
        // Who could not be told is kept for the wake.
        let is_told = self.tell_memberships(changes).await?;
        self.wake(effects);
        if !is_told {
            self.start_waking();
        }
        Ok(())
    }

    /// Wakes one user of this server, for something that concerns them alone.
    pub(super) fn wake_one(self: &Rc<Self>, user_id: OwnedUserId, position: LogPosition) {
        if self.wakes.users.borrow().contains(&user_id) {
            return;
        }
        let engine = Rc::clone(self);
        let task = async move {
            for user in engine.wake_each(vec![user_id], position).await {
                // Their next wake will do.
                engine.wakes.users.borrow_mut().remove(&user);
            }
        };
        self.runtime.platform.spawn(task.boxed_local());
    }

    /// Wakes users of this server; those who could not be called.
    async fn wake_each(&self, users: Vec<OwnedUserId>, position: LogPosition) -> Vec<OwnedUserId> {
        call_each(users, |user: OwnedUserId| async move {
            remember(&self.wakes.users, user.clone());
            let room_id = self.room_id()?;
            let changed = rpc::user::RoomChanged { room_id, position };
            rpc::call(self.runtime.platform.as_ref(), user.localpart(), &changed).await
        })
        .await
    }

    /// The user has fetched from the log: they are woken again when it grows.
    pub fn pulled_by_user(&self, user_id: &UserId) {
        self.typing.pulled_by(user_id);
        self.wakes.users.borrow_mut().remove(user_id);
    }

    /// The server's queue has fetched from the log up to `position`: it is woken again when it grows beyond.
    ///
    /// It must not be woken for what it has. It would not fetch again, and so would count as awake for ever.
    pub fn pulled_by_server(&self, server: &ServerName, position: LogPosition) {
        self.wakes.servers.borrow_mut().remove(server);
        self.wakes.fetched.borrow_mut().insert(server.to_owned(), position);
    }

    /// Finishes a wake that a crash cut short. Looks for one once after each start.
    pub(super) fn recover_wakes(self: &Rc<Self>) -> Result<(), DatabaseError> {
        if self.wakes.is_recovered.replace(true) {
            return Ok(());
        }
        let Some(meta) = self.store.find_meta()? else { return Ok(()) };
        if meta.woken_position >= meta.last_position {
            return Ok(());
        }
        let changed = self.store.local_members_changed(meta.woken_position)?;
        let untold = changed.into_iter().map(|member| MembershipChange {
            user_id: member.user_id,
            nid: member.nid,
            position: member.position,
        });
        self.wakes.memberships.borrow_mut().extend(untold);
        let residents = self.recover_residents(meta.woken_position, meta.last_position)?;
        self.wakes.residents.borrow_mut().extend(residents);
        let owed = self.store.log_broadcast(meta.woken_position, meta.last_position, 1)?;
        self.wakes.broadcast.set(self.wakes.broadcast.get() || !owed.is_empty());
        self.start_waking();
        Ok(())
    }

    fn start_waking(self: &Rc<Self>) {
        if self.wakes.is_running.replace(true) {
            return;
        }
        let engine = Rc::clone(self);
        let task = async move {
            let outcome = engine.wake_all().await;
            engine.wakes.is_running.set(false);
            let failed = match outcome {
                Ok(is_done) => !is_done,
                Err(error) => {
                    crate::log::error("wake", &error.to_string());
                    true
                }
            };
            if failed {
                engine.wakes.is_recovered.set(false);
                engine.ring_at(engine.runtime.platform.now().saturating_add(RETRY_MS)).await;
            }
        };
        self.runtime.platform.spawn(task.boxed_local());
    }

    /// Wakes until nothing has been added meanwhile; `false` when some follower could not be called.
    async fn wake_all(self: &Rc<Self>) -> Result<bool, DatabaseError> {
        loop {
            let meta = self.store.meta()?;
            let position = meta.last_position;
            let memberships = self.wakes.memberships.take();
            let broadcast = self.wakes.broadcast.take();
            let mut is_done = self.tell_memberships(memberships).await?;
            // Before users of this server ask for keys of those who came.
            is_done &= self.tell_residents().await?;
            is_done &= self.wake_users(position).await?;
            if broadcast {
                is_done &= self.wake_servers(position).await?;
            }
            is_done &= self.tell_directory().await?;
            is_done &= self.tell_openness().await?;
            is_done &= self.see_guests_out().await?;
            self.catalogue_sometimes()?;
            if !is_done {
                return Ok(false);
            }
            let is_idle = self.wakes.memberships.borrow().is_empty()
                && self.wakes.residents.borrow().is_empty()
                && self.store.meta()?.last_position == position;
            if is_idle {
                self.store.write(|writer| {
                    let mut meta = (*writer.meta()?).clone();
                    meta.woken_position = position;
                    writer.set_meta(meta)
                })?;
                return Ok(true);
            }
        }
    }

    /// Wakes the joined users of this server who are not awake.
    async fn wake_users(&self, position: LogPosition) -> Result<bool, DatabaseError> {
        let mut is_done = true;
        let mut after = String::new();
        loop {
            let page = self.store.joined_local(&after, PAGE)?;
            let Some(end) = page.last() else { return Ok(is_done) };
            end.as_str().clone_into(&mut after);
            let asleep = page.into_iter().filter(|user| !self.wakes.users.borrow().contains(user)).collect();
            for user in self.wake_each(asleep, position).await {
                self.wakes.users.borrow_mut().remove(&user);
                is_done = false;
            }
        }
    }

    /// Wakes the queues to the servers in the room, and to those that have just left and are owed that.
    async fn wake_servers(&self, position: LogPosition) -> Result<bool, DatabaseError> {
        let mut is_done = true;
        let mut after = String::new();
        let woken = self.store.meta()?.woken_position;
        self.wakes.fetched.borrow_mut().retain(|_, fetched| *fetched >= position);
        let mut page = self.store.servers_left_since(woken)?;
        loop {
            let names = page.iter().map(|server| server.name.clone());
            let asleep = names.filter(|name| !self.is_server_awake(name, position)).collect();
            let lost = call_each(asleep, |server: OwnedServerName| async move {
                remember(&self.wakes.servers, server.clone());
                let room_id = self.room_id()?;
                let changed = rpc::remote_server::RoomChanged { room_id, after: woken, position };
                rpc::call(self.runtime.platform.as_ref(), &server, &changed).await
            });
            for server in lost.await {
                self.wakes.servers.borrow_mut().remove(&server);
                is_done = false;
            }
            page = self.store.resident_servers(&after, PAGE)?;
            let Some(end) = page.last() else { return Ok(is_done) };
            end.name.as_str().clone_into(&mut after);
        }
    }

    fn is_server_awake(&self, name: &ServerName, position: LogPosition) -> bool {
        self.wakes.servers.borrow().contains(name)
            || self.wakes.fetched.borrow().get(name).is_some_and(|fetched| *fetched >= position)
    }

    /// Tells users of this server of their own memberships; those who could not be told are kept.
    async fn tell_memberships(&self, changes: Vec<MembershipChange>) -> Result<bool, DatabaseError> {
        let lost = call_each(changes, |change: MembershipChange| async move {
            let command = self.set_membership(&change)?;
            rpc::call(self.runtime.platform.as_ref(), change.user_id.localpart(), &command).await
        });
        let lost = lost.await;
        let is_done = lost.is_empty();
        self.wakes.memberships.borrow_mut().extend(lost);
        Ok(is_done)
    }

    fn set_membership(&self, change: &MembershipChange) -> Result<rpc::user::SetMembership, MatrixError> {
        let event = change.nid.map(|nid| self.store.event(nid)).transpose()?;
        let membership = event.as_ref().and_then(|event| event.pdu.content_str("membership"));
        let membership = membership.map_or(MembershipState::Leave, |text| MembershipState::from(&*text));
        let mut stripped_state = Vec::new();
        if matches!(membership, MembershipState::Invite | MembershipState::Knock) {
            stripped_state = self.stripped_state()?;
            stripped_state.extend(event.as_ref().and_then(|event| stripped(&event.pdu)));
        }
        Ok(rpc::user::SetMembership {
            room_id: self.room_id()?,
            membership: membership.clone(),
            position: Some(change.position),
            sender: event.map_or_else(|| change.user_id.clone(), |event| event.pdu.sender().to_owned()),
            stripped_state,
            event: None,
            predecessor: if membership == MembershipState::Join { self.predecessor()? } else { None },
        })
    }

    /// The room that this one replaces, as its create event says.
    pub(super) fn predecessor(&self) -> Result<Option<OwnedRoomId>, DatabaseError> {
        let create = State::current(&self.store)?.get("m.room.create", "")?;
        let predecessor = create.as_ref().and_then(|create| {
            let room_id =
                create.content_object().get("predecessor")?.as_object()?.get("room_id")?.as_str()?;
            OwnedRoomId::try_from(&*room_id).ok()
        });
        Ok(predecessor)
    }

    /// What those see of the room who are invited or knock `[C-S §8.4, stripped state]`.
    pub fn stripped_state(&self) -> Result<Vec<Raw<AnyStrippedStateEvent>>, DatabaseError> {
        let state = State::current(&self.store)?;
        let mut events = Vec::new();
        for event_type in STRIPPED_STATE_TYPES {
            events.extend(state.get(event_type, "")?.and_then(|event| stripped(&event)));
        }
        Ok(events)
    }

    fn room_id(&self) -> Result<OwnedRoomId, DatabaseError> {
        Ok(self.store.meta()?.room_id.clone())
    }
}

fn stripped(event: &Pdu) -> Option<Raw<AnyStrippedStateEvent>> {
    RawValue::from_string(strip(event)?).ok().map(Raw::from_json)
}

/// Calls followers, some at the same time; which of them have to be called again.
pub(super) async fn call_each<T: Clone, F>(mut followers: Vec<T>, call: impl Fn(T) -> F) -> Vec<T>
where
    F: Future<Output = Result<(), MatrixError>>,
{
    let mut outcomes = each(CONCURRENCY, &followers, |follower| call(follower.clone())).await.into_iter();
    followers.retain(|_| outcomes.next().is_some_and(|outcome| is_lost(&outcome)));
    followers
}
