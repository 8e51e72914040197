//! Completing the state of a room that was joined without all of its members (see [`commit`](super::commit)): the rest
//! is fetched in the background, from one server after the other, until it is here. What needs it waits for it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use futures_util::FutureExt;
use ruma::{OwnedServerName, UserId, events::room::member::MembershipState};

use super::{
    RoomEngine,
    inbound::{Gather, GatherError},
    state::State,
    store::FetchProgress,
};
use crate::{database::DatabaseError, matrix_error::MatrixError, platform::random};

/// How long a request waits for the state, in milliseconds, and how often it looks.
const MAX_WAIT_MS: u64 = 60_000;
const POLL_MS: u32 = 100;
/// How many servers are asked at once, one after the other, before a pause.
const ROUND: usize = 6;
/// The first pause, and the longest, in milliseconds.
const FIRST_PAUSE_MS: u64 = 5_000;
const LAST_PAUSE_MS: u64 = 600_000;
/// After how many failures a state is taken of which some events cannot be had from any server.
const STRICT_ATTEMPTS: u32 = 12;
/// After how many failures an earlier stay is given up, when a later one has begun.
const MAX_ATTEMPTS_OF_EARLIER: u32 = 6;
/// How many servers that came later are asked besides those that were named.
const MAX_OTHERS: u32 = 50;

/// The fetching under way.
#[derive(Default)]
pub(super) struct Completing {
    is_running: Cell<bool>,
    /// Whether it was looked for one that a crash cut short.
    is_recovered: Cell<bool>,
    /// When the actor's alarm rings, as far as is known in memory.
    alarm: RefCell<Option<u64>>,
}

/// Until it is dropped, by whatever, the fetching is under way.
struct Running<'r>(&'r Cell<bool>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl RoomEngine {
    /// Sets the room's alarm, unless it rings before that.
    pub(super) async fn ring_at(&self, at: u64) {
        let is_set = self.completing.alarm.borrow().is_some_and(|set| set <= at);
        if !is_set {
            *self.completing.alarm.borrow_mut() = Some(at);
            self.runtime.platform.set_alarm(at).await;
        }
    }

    /// The alarm has rung.
    pub(super) async fn continue_completion(self: &Rc<Self>) {
        *self.completing.alarm.borrow_mut() = None;
        // While the alarm has not ended it rings again after a crash.
        while self.completing.is_running.get() {
            self.runtime.platform.sleep(POLL_MS).await;
        }
        if self.go_on().await {
            self.complete_state().await;
        } else {
            self.ring_at(self.runtime.platform.now().saturating_add(FIRST_PAUSE_MS)).await;
        }
    }

    /// Begins at once, and sees to it that it goes on.
    pub(super) async fn begin_completion(self: &Rc<Self>) {
        let engine = Rc::clone(self);
        let task = async move {
            if !engine.completing.is_running.get() {
                engine.go_on().await;
            }
        };
        self.runtime.platform.spawn(task.boxed_local());
        self.complete_state().await;
    }

    /// Goes on after a crash. Looks whether there is need once after each start.
    pub(super) async fn recover_completion(&self) {
        if !self.completing.is_recovered.replace(true) {
            self.complete_state().await;
        }
    }

    /// Whether members are missing from the room's state.
    pub(super) fn is_partial(&self) -> Result<bool, DatabaseError> {
        Ok(self.store.find_meta()?.is_some_and(|meta| meta.is_partial))
    }

    /// Whether it is not known what a user of another server is to the room.
    pub(super) fn is_unknown_member(&self, user_id: &UserId) -> Result<bool, DatabaseError> {
        Ok(self.is_partial()?
            && State::current(&self.store)?.event("m.room.member", user_id.as_str())?.is_none())
    }

    /// Whether what a user of another server does counts as a joined user's: where it is not known whether they are, their
    /// server is believed.
    pub(super) fn passes_for_joined(&self, user_id: &UserId) -> Result<bool, DatabaseError> {
        let membership = State::current(&self.store)?.membership(user_id)?;
        if membership == MembershipState::Join {
            return Ok(true);
        }
        let server = self.store.server(user_id.server_name())?;
        Ok(self.is_unknown_member(user_id)? && server.is_some_and(|server| server.joined > 0))
    }

    /// Waits until the room's state is whole, within bounds. In a room that nobody of this server is in any more, what is
    /// here will do.
    pub(super) async fn await_whole_state(&self) -> Result<(), MatrixError> {
        let platform = self.runtime.platform.as_ref();
        let deadline = platform.now().saturating_add(MAX_WAIT_MS);
        while self.is_partial()? && self.takes_part()? {
            if platform.now() >= deadline {
                let text = "The members of the room are still being fetched: try again later";
                return Err(MatrixError::bad_gateway(text).with_status(504));
            }
            platform.sleep(POLL_MS).await;
        }
        Ok(())
    }

    /// The same, where it matters what this user is to the room, and that is not known.
    pub(super) async fn await_membership(&self, user_id: &UserId) -> Result<(), MatrixError> {
        if self.is_unknown_member(user_id)? { self.await_whole_state().await } else { Ok(()) }
    }

    /// Sees to it that the state becomes whole: the alarm, which outlives a crash, rings when it is time to go on.
    pub(super) async fn complete_state(&self) {
        match self.completion_due() {
            Ok(Some(at)) => self.ring_at(at).await,
            Ok(None) => {}
            Err(error) => crate::log::error("completion", &error.to_string()),
        }
    }

    /// When to go on; `None` when there is nothing to do.
    fn completion_due(&self) -> Result<Option<u64>, DatabaseError> {
        // Who is not in the room is told nothing; it goes on when someone joins again.
        if !self.is_partial()? || !self.takes_part()? {
            return Ok(None);
        }
        Ok(Some(self.store.fetch_progress()?.next_ts.max(self.runtime.platform.now())))
    }

    /// Goes on, if it is time; whether it could be noted how that went.
    async fn go_on(self: &Rc<Self>) -> bool {
        self.completing.is_running.set(true);
        let _running = Running(&self.completing.is_running);
        loop {
            let outcome = match self.completion_due() {
                Ok(Some(at)) if at <= self.runtime.platform.now() => match self.fetch_next().await {
                    Ok(()) => Ok(()),
                    Err(error) => {
                        crate::log::warn("completion", &error.to_string());
                        self.note_failure()
                    }
                },
                Ok(_) => return true,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                crate::log::error("completion", &error.to_string());
                return false;
            }
        }
    }

    /// Fetches the state before one join; once all are here, makes the room whole.
    async fn fetch_next(self: &Rc<Self>) -> Result<(), GatherError> {
        let local = self.runtime.platform.config().server_name.clone();
        let Some(join) = self.store.awaited_join()? else {
            let effects = self.make_whole(&local)?;
            return Ok(self.tell(effects).await?);
        };
        let attempts = self.store.fetch_progress()?.attempts;
        let servers = self.servers_to_ask()?;
        let turn = (attempts as usize).checked_rem(servers.len()).unwrap_or_default();
        let Some(server) = servers.into_iter().nth(turn) else {
            return Err(GatherError::Unavailable("No server is known that takes part".to_owned()));
        };
        let gather = Gather::of_whole_state(self, server.clone()).map_err(GatherError::Internal)?;
        let event = self.store.event(join)?;
        let root = gather.whole_state_before(&event.pdu, attempts < STRICT_ATTEMPTS).await;
        let root = root.map_err(|error| error.of(&server))?;
        match self.settle_join(&local, join, root)? {
            None => Ok(()),
            Some(rule) => {
                let text = format!("{server}: the state that it tells forbids our join: {rule}");
                Err(GatherError::Garbled(text))
            }
        }
    }

    /// The servers that take part, first those that were named when we joined.
    fn servers_to_ask(&self) -> Result<Vec<OwnedServerName>, DatabaseError> {
        let mut servers = self.store.partial_servers()?;
        let own = &self.runtime.platform.config().server_name;
        for server in self.store.resident_servers("", MAX_OTHERS)? {
            if !servers.contains(&server.name) {
                servers.push(server.name);
            }
        }
        servers.retain(|server| server != own);
        Ok(servers)
    }

    /// Notes that one more attempt failed, and when to try again.
    fn note_failure(&self) -> Result<(), DatabaseError> {
        let round = u32::try_from(self.servers_to_ask()?.len().clamp(1, ROUND)).unwrap_or(1);
        let [jitter] = random(self.runtime.platform.as_ref());
        let now = self.runtime.platform.now();
        self.store.write(|writer| {
            let attempts = writer.fetch_progress()?.attempts.saturating_add(1);
            if attempts >= MAX_ATTEMPTS_OF_EARLIER
                && let Some(join) = writer.awaited_join()?
                && writer.drop_stay(join)?
            {
                return writer.clear_fetch_progress();
            }
            let pause = pause(attempts, round).map(|pause| pause.saturating_add(u64::from(jitter) * 4));
            let next_ts = now.saturating_add(pause.unwrap_or_default());
            writer.set_fetch_progress(FetchProgress { attempts, next_ts })
        })
    }
}

/// How long to wait after so many failures, in milliseconds, when so many servers are asked in a round; `None` within a
/// round.
fn pause(attempts: u32, round: u32) -> Option<u64> {
    let rounds = attempts.checked_div(round).filter(|_| attempts.checked_rem(round) == Some(0))?;
    let doublings = rounds.saturating_sub(1).min(16);
    Some(FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LAST_PAUSE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_round_to_round() {
        assert_eq!(pause(1, 3), None);
        assert_eq!(pause(3, 3), Some(5_000));
        assert_eq!(pause(6, 3), Some(10_000));
        assert_eq!(pause(3_000, 3), Some(LAST_PAUSE_MS));
    }
}
