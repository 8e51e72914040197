//! Who types `[C-S §11.5]`. Kept in memory only: it is worthless a minute later.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};

use futures_util::FutureExt;
use ruma::{OwnedUserId, UserId, events::room::member::MembershipState};
use selvedge_protocol::json::{ObjectWriter, write_string};
use serde_json::{json, value::RawValue};

use super::{RoomEngine, state::State, wake::call_each};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    rpc::{
        self,
        remote_server::{Keep, OutboundEdu, SendEdus},
        room::{Reader, ReceiveTyping, SetTyping},
        user::RoomStirred,
    },
    sorted::SortedMap,
};

/// The longest time for which a user counts as typing, in milliseconds.
const MAX_TIMEOUT_MS: u64 = 120_000;
/// For how long a user of another server does.
const REMOTE_TIMEOUT_MS: u64 = 60_000;
/// After which time other servers are told again that a user goes on typing.
const REPEAT_MS: u64 = 30_000;
/// How many followers are read at a time.
const PAGE: u32 = 256;
/// How many users may type at once; who comes too late is not shown.
const MAX_TYPING: usize = 100;

/// Who types, and who was told.
#[derive(Default)]
pub(super) struct Typing {
    users: RefCell<SortedMap<OwnedUserId, Typist>>,
    /// Users of this server who were told of a change and have not fetched since.
    stirred: RefCell<BTreeSet<OwnedUserId>>,
    timer: Cell<Timer>,
}

/// What ends typing in time. Each timer has a number; only the latest counts.
#[derive(Debug, Clone, Copy, Default)]
struct Timer {
    number: u64,
    /// When it fires; `None` when it is over.
    fires: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Typist {
    until: u64,
    /// When other servers were told.
    announced: u64,
}

impl Typing {
    /// The user has fetched who types.
    pub fn pulled_by(&self, user_id: &UserId) {
        self.stirred.borrow_mut().remove(user_id);
    }

    /// Sets until when a user types; whether that changes who does.
    fn set(&self, user_id: &UserId, until: Option<u64>, now: u64) -> bool {
        let mut users = self.users.borrow_mut();
        let Some(until) = until else { return users.remove(user_id).is_some() };
        if let Some(typist) = users.get_mut(user_id) {
            typist.until = until;
            return false;
        }
        if users.len() >= MAX_TYPING {
            return false;
        }
        users.insert(user_id.to_owned(), Typist { until, announced: now });
        true
    }

    /// Removes those whose time is over; whether there were any.
    fn expire(&self, now: u64) -> bool {
        let mut users = self.users.borrow_mut();
        let before = users.len();
        users.retain(|_, typist| typist.until > now);
        users.len() < before
    }

    fn next_end(&self) -> Option<u64> {
        self.users.borrow().iter().map(|(_, typist)| typist.until).min()
    }

    /// Whether other servers are to be told again that a user types.
    fn is_to_be_repeated(&self, user_id: &UserId, now: u64) -> bool {
        let mut users = self.users.borrow_mut();
        let typist =
            users.get_mut(user_id).filter(|typist| typist.announced.saturating_add(REPEAT_MS) <= now);
        typist.map(|typist| typist.announced = now).is_some()
    }
}

impl RoomEngine {
    /// The `m.typing` event for a reader, and whether anyone is in it. Who has left the room does not type.
    pub(super) fn typing_event(&self, reader: &Reader) -> Result<(String, bool), DatabaseError> {
        let mut shown = Vec::new();
        for (user, _) in self.typing.users.borrow().iter() {
            if !reader.ignored_users.contains(user) && self.passes_for_joined(user)? {
                let mut json = String::new();
                write_string(user.as_str(), &mut json);
                shown.push(json);
            }
        }
        let mut content = ObjectWriter::new();
        content.array("user_ids", &shown);
        let mut event = ObjectWriter::new();
        event.member("content", &content.finish());
        event.string("type", "m.typing");
        Ok((event.finish(), !shown.is_empty()))
    }

    pub(super) fn set_typing(self: &Rc<Self>, command: SetTyping) -> Result<(), MatrixError> {
        let user_id = command.user_id;
        if State::current(&self.store)?.membership(&user_id)? != MembershipState::Join {
            return Err(MatrixError::forbidden("You are not in this room"));
        }
        let now = self.runtime.platform.now();
        let until = command.timeout_ms.map(|timeout| now.saturating_add(timeout.min(MAX_TIMEOUT_MS)));
        let is_change = self.typing.set(&user_id, until, now);
        if is_change || until.is_some() && self.typing.is_to_be_repeated(&user_id, now) {
            self.announce(user_id, until.is_some());
        }
        self.typing_changed(is_change);
        Ok(())
    }

    pub(super) fn receive_typing(self: &Rc<Self>, command: ReceiveTyping) -> Result<(), MatrixError> {
        if !self.hears(&command.origin)? || !self.passes_for_joined(&command.user_id)? {
            return Ok(());
        }
        let now = self.runtime.platform.now();
        let until = command.is_typing.then(|| now.saturating_add(REMOTE_TIMEOUT_MS));
        let is_change = self.typing.set(&command.user_id, until, now);
        self.typing_changed(is_change);
        Ok(())
    }

    /// Tells the room's users of a change, and sees to it that typing ends.
    fn typing_changed(self: &Rc<Self>, is_change: bool) {
        if is_change {
            self.stir();
        }
        let Some(end) = self.typing.next_end() else { return };
        let timer = self.typing.timer.get();
        // One that fires too early looks again; only one that fires too late is of no use.
        if timer.fires.is_none_or(|fires| fires > end) {
            let number = timer.number.wrapping_add(1);
            self.typing.timer.set(Timer { number, fires: Some(end) });
            self.runtime.platform.spawn(Rc::clone(self).end_typing(number).boxed_local());
        }
    }

    /// Runs the timer with this number: until nobody types, or another takes its place.
    async fn end_typing(self: Rc<Self>, number: u64) {
        let platform = &self.runtime.platform;
        while let Some(end) = self.typing.next_end() {
            self.typing.timer.set(Timer { number, fires: Some(end) });
            let left = end.saturating_sub(platform.now()).max(1);
            platform.sleep(u32::try_from(left).unwrap_or(u32::MAX)).await;
            if self.typing.timer.get().number != number {
                return;
            }
            if self.typing.expire(platform.now()) {
                self.stir();
            }
        }
        self.typing.timer.set(Timer { number, fires: None });
    }

    /// Tells the joined users of this server who have fetched since they were told last.
    fn stir(self: &Rc<Self>) {
        let engine = Rc::clone(self);
        let task = async move {
            if let Err(error) = engine.stir_all().await {
                crate::log::error("typing", &error.to_string());
            }
        };
        self.runtime.platform.spawn(task.boxed_local());
    }

    async fn stir_all(&self) -> Result<(), DatabaseError> {
        let room_id = &self.store.meta()?.room_id;
        let mut after = String::new();
        loop {
            let page = self.store.joined_local(&after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            last.as_str().clone_into(&mut after);
            let untold =
                page.into_iter().filter(|user| self.typing.stirred.borrow_mut().insert(user.clone()));
            let lost = call_each(untold.collect(), |user: OwnedUserId| async move {
                let stirred = RoomStirred { room_id: room_id.clone() };
                rpc::call(self.runtime.platform.as_ref(), user.localpart(), &stirred).await
            });
            for user in lost.await {
                self.typing.stirred.borrow_mut().remove(&user);
            }
        }
    }

    /// Tells other servers of a user of this one.
    fn announce(self: &Rc<Self>, user_id: OwnedUserId, is_typing: bool) {
        let engine = Rc::clone(self);
        let task = async move {
            if let Err(error) = engine.announce_to_all(&user_id, is_typing).await {
                crate::log::error("typing", &error.to_string());
            }
        };
        self.runtime.platform.spawn(task.boxed_local());
    }

    async fn announce_to_all(&self, user_id: &UserId, is_typing: bool) -> Result<(), MatrixError> {
        let room_id = self.store.meta()?.room_id.clone();
        let content = json!({"room_id": room_id, "user_id": user_id, "typing": is_typing});
        let edu = OutboundEdu {
            edu_type: "m.typing".to_owned(),
            content: RawValue::from_string(content.to_string())?,
            keep: Keep::Volatile,
        };
        let send = SendEdus { edus: vec![edu] };
        let mut after = String::new();
        loop {
            let page = self.store.resident_servers(&after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            last.name.as_str().clone_into(&mut after);
            let names = page.into_iter().map(|server| server.name).collect();
            // Whom this does not reach learns nothing: it would be worthless later.
            call_each(names, |server: ruma::OwnedServerName| {
                let send = &send;
                async move { rpc::call(self.runtime.platform.as_ref(), &server, send).await }
            })
            .await;
        }
    }
}
