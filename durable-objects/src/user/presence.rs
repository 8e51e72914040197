//! Presence `[C-S §11.8]`: how the user appears to others, and how others appear to the user.
//!
//! The user's own state is stored when it changes. What others look like is kept in memory only: it is
//! told anew whenever it changes, and worth nothing later.

mod section;
mod share;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

use ruma::{OwnedRoomId, OwnedUserId, presence::PresenceState};

pub(super) use self::section::presence_section;
use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    matrix_error::MatrixError,
    params,
    rpc::user::{GetPresence, GetSeenPresence, GreetUser, NotePresence, Presence, SetPresence},
    sorted::SortedMap,
};

/// After how long without doing anything an online user is shown as unavailable, in milliseconds.
const IDLE_MS: u64 = 5 * 60 * 1000;
/// After how long without a sync a user is offline, in milliseconds.
const GONE_MS: u64 = 60 * 1000;
/// How often it is looked whether a user is still there, in milliseconds.
const LOOK_MS: u64 = 5 * 60 * 1000;
/// The longest status message, in bytes.
const MAX_STATUS: usize = 1024;
/// How many others are remembered.
const MAX_OTHERS: usize = 1_000;

const READ: &str = "SELECT state, status_msg, cause, last_active_ts FROM presence";
const WRITE: &str =
    "INSERT INTO presence (one, state, status_msg, cause, last_active_ts) VALUES (1, ?, ?, ?, ?)
    ON CONFLICT (one) DO UPDATE SET state = excluded.state, status_msg = excluded.status_msg,
    cause = excluded.cause, last_active_ts = excluded.last_active_ts";

/// What is known in memory.
#[derive(Default)]
pub(super) struct PresenceMemory {
    last_sync: Cell<u64>,
    last_active: Cell<u64>,
    /// Whether others are to be told.
    is_changed: Cell<bool>,
    others: RefCell<SortedMap<OwnedUserId, Other>>,
    /// Rooms that the user has just joined, and whose members do not know yet how they appear.
    joined: RefCell<BTreeSet<OwnedRoomId>>,
}

/// How another user appears.
struct Other {
    presence: Presence,
    /// When that was told, in milliseconds since the epoch.
    told_ts: u64,
    /// In the volatile order of the sync.
    position: u64,
}

/// What set the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A client, by the endpoint for it.
    Client,
    /// A client's sync.
    Sync,
    /// The user did nothing for a while.
    Idle,
}

/// The user's own state.
#[derive(Debug, Clone)]
struct Own {
    state: PresenceState,
    status_msg: Option<String>,
    cause: Cause,
    last_active_ts: u64,
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Sync => "sync",
            Self::Idle => "idle",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "client" => Self::Client,
            "sync" => Self::Sync,
            _ => Self::Idle,
        }
    }
}

impl UserEngine {
    fn own_presence(&self) -> Result<Own, DatabaseError> {
        let stored = self.runtime.db.query_first(READ, params![], |row| {
            Ok(Own {
                state: PresenceState::from(row.get::<String>(0)?),
                status_msg: row.get(1)?,
                cause: Cause::of(&row.get::<String>(2)?),
                last_active_ts: row.get(3)?,
            })
        })?;
        let mut own = match stored {
            Some(own) => own,
            None => Own {
                state: PresenceState::Offline,
                status_msg: None,
                cause: Cause::Sync,
                // The first thing that the user did.
                last_active_ts: self.account()?.map_or(0, |account| account.created_ts),
            },
        };
        own.last_active_ts = own.last_active_ts.max(self.presence.last_active.get());
        Ok(own)
    }

    /// Stores how the user appears, and has others told of it.
    fn appear(&self, own: &Own) -> Result<(), DatabaseError> {
        let status = own.status_msg.as_ref();
        let row = params![own.state.as_str(), status, own.cause.name(), own.last_active_ts];
        self.runtime.db.execute(WRITE, row)?;
        self.presence.is_changed.set(true);
        Ok(())
    }

    pub(super) fn set_presence(&self, command: SetPresence) -> Result<(), MatrixError> {
        let SetPresence { state, status_msg } = command;
        if !matches!(state, PresenceState::Online | PresenceState::Unavailable | PresenceState::Offline) {
            return Err(MatrixError::invalid_param("presence is online, unavailable or offline"));
        }
        if status_msg.as_ref().is_some_and(|status| status.len() > MAX_STATUS) {
            return Err(MatrixError::invalid_param(format!("status_msg has at most {MAX_STATUS} bytes")));
        }
        let now = self.runtime.platform.now();
        let last_active_ts =
            if state == PresenceState::Online { now } else { self.own_presence()?.last_active_ts };
        self.presence.last_sync.set(now);
        self.presence.last_active.set(last_active_ts);
        Ok(self.appear(&Own { state, status_msg, cause: Cause::Client, last_active_ts })?)
    }

    /// A client syncs, and says what that is to mean for how the user appears `[C-S §8.5, set_presence]`.
    pub(super) fn synced_as(&self, wanted: &PresenceState) -> Result<(), DatabaseError> {
        if *wanted == PresenceState::Offline {
            return Ok(());
        }
        let now = self.runtime.platform.now();
        self.presence.last_sync.set(now);
        let own = self.own_presence()?;
        let state = match (wanted, &own.state) {
            (PresenceState::Unavailable, PresenceState::Online | PresenceState::Offline) => {
                PresenceState::Unavailable
            }
            (PresenceState::Online, PresenceState::Offline) => PresenceState::Online,
            (PresenceState::Online, PresenceState::Unavailable) if own.cause == Cause::Sync => {
                PresenceState::Online
            }
            _ => return Ok(()),
        };
        let is_online = state == PresenceState::Online;
        let last_active_ts = if is_online { now } else { own.last_active_ts };
        self.appear(&Own { state, cause: Cause::Sync, last_active_ts, ..own })
    }

    /// The user did something: idle no more, whoever said so before `[C-S §11.8, idle timeout]`.
    pub(super) fn was_active(&self) -> Result<(), DatabaseError> {
        let now = self.runtime.platform.now();
        self.presence.last_active.set(now);
        if now.saturating_sub(self.presence.last_sync.get()) < GONE_MS {
            let own = self.own_presence()?;
            if own.state == PresenceState::Unavailable {
                return self.appear(&Own { state: PresenceState::Online, cause: Cause::Sync, ..own });
            }
        }
        Ok(())
    }

    /// Looks whether the user is still there; called once in a while.
    fn look_for_user(&self) -> Result<PresenceState, DatabaseError> {
        let own = self.own_presence()?;
        let now = self.runtime.platform.now();
        if own.state == PresenceState::Offline {
            return Ok(own.state);
        }
        let is_gone =
            now.saturating_sub(self.presence.last_sync.get()) >= GONE_MS && !self.is_anyone_waiting();
        let is_idle = now.saturating_sub(own.last_active_ts) >= IDLE_MS;
        let state = match own.state {
            _ if is_gone => PresenceState::Offline,
            PresenceState::Online if is_idle => PresenceState::Unavailable,
            _ => return Ok(own.state),
        };
        self.appear(&Own { state: state.clone(), cause: Cause::Idle, ..own })?;
        Ok(state)
    }

    /// Whether a client chose how the user appears.
    fn is_presence_chosen(&self) -> Result<bool, DatabaseError> {
        Ok(self.own_presence()?.cause == Cause::Client)
    }

    /// How the user appears to others now.
    fn appearance(&self) -> Result<Presence, MatrixError> {
        let own = self.own_presence()?;
        let last_active_ago = self.runtime.platform.now().saturating_sub(own.last_active_ts);
        Ok(Presence {
            user_id: self.user_id()?,
            currently_active: own.state == PresenceState::Online && last_active_ago < IDLE_MS,
            presence: own.state,
            status_msg: own.status_msg,
            last_active_ago,
        })
    }

    pub(super) fn get_presence(&self, command: GetPresence) -> Result<Presence, MatrixError> {
        if let Some(rooms) = command.rooms {
            let joined = self.joined_room_ids()?;
            if !rooms.iter().any(|room| joined.contains(room)) {
                return Err(MatrixError::forbidden("You share no room with this user"));
            }
        }
        self.appearance()
    }

    /// The user has joined a room: its members are to be greeted.
    pub(super) fn will_greet(&self, room_id: OwnedRoomId) {
        self.presence.joined.borrow_mut().insert(room_id);
    }

    pub(super) fn greet_user(&self, command: GreetUser) -> Result<Option<Presence>, MatrixError> {
        if command.presence.presence != PresenceState::Offline {
            self.note_presence(NotePresence { updates: vec![command.presence] })?;
        }
        let own = self.appearance()?;
        Ok((own.presence != PresenceState::Offline).then_some(own))
    }

    pub(super) fn get_seen_presence(
        &self,
        command: GetSeenPresence,
    ) -> Result<Option<Presence>, MatrixError> {
        let others = self.presence.others.borrow();
        Ok(others.get(&command.user_id).map(|other| {
            let ago = self.runtime.platform.now().saturating_sub(other.told_ts);
            let last_active_ago = other.presence.last_active_ago.saturating_add(ago);
            Presence { last_active_ago, ..other.presence.clone() }
        }))
    }

    pub(super) fn note_presence(&self, command: NotePresence) -> Result<(), MatrixError> {
        let now = self.runtime.platform.now();
        let mut others = self.presence.others.borrow_mut();
        for presence in command.updates {
            if others.len() >= MAX_OTHERS && others.get(&presence.user_id).is_none() {
                let oldest = others.iter().min_by_key(|(_, other)| other.position);
                if let Some(oldest) = oldest.map(|(user_id, _)| user_id.clone()) {
                    others.remove(&oldest);
                }
            }
            let position = self.volatile.advance(now);
            others.insert(presence.user_id.clone(), Other { presence, told_ts: now, position });
        }
        drop(others);
        self.answer_waiting();
        Ok(())
    }
}
