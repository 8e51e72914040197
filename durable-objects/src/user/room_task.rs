//! Work in all of the user's rooms: member events follow the profile, and who deactivates the account leaves. At its
//! end the user directory hears of it.
//!
//! How far it is, is one row, however many rooms there are. A few rooms are done before the request is
//! answered, the others after it; what fails is tried again by an alarm.

use std::{
    collections::BTreeSet,
    rc::{Rc, Weak},
};

use futures_util::FutureExt;
use ruma::{OwnedMxcUri, OwnedRoomId, events::room::member::MembershipState};
use serde_json::{Map, Value};

use super::UserEngine;
use crate::{
    database::{DatabaseError, DatabaseExt},
    log,
    matrix_error::MatrixError,
    params,
    rpc::{
        self,
        directory::MarkUserChanged,
        room::{ChangeMembership, MemberProfile, MembershipAction, UpdateMemberProfile},
    },
};

/// How many rooms are done before the request that began the work is answered.
const AT_ONCE: usize = 20;
/// How many rooms are done between two notes of how far the work is.
const BATCH: usize = 10;
/// When a room that could not be reached is tried again, in milliseconds; twice as long each time.
const RETRY_MS: u64 = 30_000;
/// After how many failures in a row a room is passed over.
const MAX_FAILURES: u32 = 8;

const BEGIN: &str = "INSERT INTO room_task (kind, version, done, failures) VALUES (?, 1, 0, 0)
    ON CONFLICT (kind) DO UPDATE SET version = version + 1, done = 0, failures = 0";
const READ: &str = "SELECT kind, version, done, failures FROM room_task ORDER BY kind";
const NOTE: &str = "UPDATE room_task SET done = ?, failures = ? WHERE kind = ? AND version = ?";
const END: &str = "DELETE FROM room_task WHERE kind = ? AND version = ?";

/// What is to be done in each room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomTask {
    /// The member event is to say what the profile says.
    Profile,
    /// The room is to be left.
    Leave,
    /// Nothing is to be done there: the user directory is to hear of the user.
    Directory,
}

impl RoomTask {
    const fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Leave => "leave",
            Self::Directory => "directory",
        }
    }
}

/// A task and how far it is.
struct Progress {
    task: RoomTask,
    version: u64,
    done: u32,
    failures: u32,
}

impl UserEngine {
    /// Begins a task, anew if it is under way. In a transaction of the caller, who then calls
    /// [`Self::work_in_rooms`].
    pub(super) fn begin_room_task(&self, task: RoomTask) -> Result<(), DatabaseError> {
        self.runtime.db.execute(BEGIN, params![task.name()])
    }

    /// Takes up what was not done when the actor ended, once in its life.
    pub(super) fn take_up_work(self: &Rc<Self>) {
        if self.has_taken_up_work.replace(true) {
            return;
        }
        match self.next_task() {
            Ok(None) => {}
            Ok(Some(_)) => self.work_in_background(),
            Err(error) => log::error("room task", &error.to_string()),
        }
    }

    /// Does what is to be done, after the request that is under way.
    pub(super) fn work_in_background(self: &Rc<Self>) {
        if !self.is_working.get() {
            self.runtime.platform.spawn(work_on(Rc::downgrade(self)).boxed_local());
        }
    }

    /// Does what is to be done: in the first rooms at once, then in the background.
    pub(super) async fn work_in_rooms(self: &Rc<Self>) -> Result<(), MatrixError> {
        if self.is_working.get() || self.work_some(AT_ONCE).await? {
            return Ok(());
        }
        let engine = Rc::downgrade(self);
        self.runtime.platform.spawn(work_on(engine).boxed_local());
        Ok(())
    }

    /// Works in up to `limit` rooms; returns whether nothing is left to do now.
    async fn work_some(&self, limit: usize) -> Result<bool, MatrixError> {
        self.is_working.set(true);
        let done = self.work_until(limit).await;
        self.is_working.set(false);
        done
    }

    async fn work_until(&self, limit: usize) -> Result<bool, MatrixError> {
        let mut left = limit;
        while let Some(progress) = self.next_task()? {
            let rooms = self.rooms_to_do(&progress)?;
            if rooms.is_empty() {
                if !self.end_task(&progress).await? {
                    return Ok(true);
                }
                continue;
            }
            if left == 0 {
                return Ok(false);
            }
            let batch = rooms.get(..BATCH.min(left)).unwrap_or(&rooms);
            if !self.work_in(&progress, batch).await? {
                return Ok(true);
            }
            left = left.saturating_sub(batch.len());
        }
        Ok(true)
    }

    /// Tells the user directory, and ends a task; returns whether that could be done. If not, an alarm is set.
    async fn end_task(&self, progress: &Progress) -> Result<bool, MatrixError> {
        let told = MarkUserChanged { user_id: self.user_id()? };
        match rpc::call(self.runtime.platform.as_ref(), &(), &told).await {
            Err(_) if progress.failures < MAX_FAILURES => {
                self.retry_later(progress, progress.done, progress.failures).await?;
                return Ok(false);
            }
            Err(error) => log::warn("room task", &format!("the user directory: {error}")),
            Ok(()) => {}
        }
        self.runtime.db.execute(END, params![progress.task.name(), progress.version])?;
        Ok(true)
    }

    /// Notes one more failure, and sets the alarm.
    async fn retry_later(&self, progress: &Progress, done: u32, failures: u32) -> Result<(), MatrixError> {
        let wait = RETRY_MS.saturating_mul(1 << failures);
        let at = self.runtime.platform.now().saturating_add(wait);
        self.note_progress(progress, done, failures.saturating_add(1))?;
        self.runtime.platform.set_alarm(at).await;
        Ok(())
    }

    fn next_task(&self) -> Result<Option<Progress>, DatabaseError> {
        self.runtime.db.query_first(READ, params![], |row| {
            let task = match row.get::<String>(0)?.as_str() {
                "profile" => RoomTask::Profile,
                "leave" => RoomTask::Leave,
                "directory" => RoomTask::Directory,
                other => return Err(DatabaseError::corrupt(format!("room task {other}"))),
            };
            Ok(Progress { task, version: row.get(1)?, done: row.get(2)?, failures: row.get(3)? })
        })
    }

    /// The rooms that are not done yet, in order.
    fn rooms_to_do(&self, progress: &Progress) -> Result<Vec<(u32, OwnedRoomId)>, DatabaseError> {
        let kinds: &[MembershipState] = match progress.task {
            RoomTask::Profile => &[MembershipState::Join],
            RoomTask::Leave => &[MembershipState::Join, MembershipState::Invite, MembershipState::Knock],
            RoomTask::Directory => &[],
        };
        let rows = self.memberships().of_kinds(kinds)?.into_iter();
        let rooms: BTreeSet<_> = rows.map(|row| (row.room, row.room_id)).collect();
        Ok(rooms.into_iter().filter(|(room, _)| *room > progress.done).collect())
    }

    /// Works in these rooms; returns whether all were reached. If not, an alarm is set.
    async fn work_in(&self, progress: &Progress, rooms: &[(u32, OwnedRoomId)]) -> Result<bool, MatrixError> {
        let mut done = progress.done;
        let mut failures = progress.failures;
        for (room, room_id) in rooms {
            match self.work_in_room(progress.task, room_id).await {
                // Its rules forbid it, or it has to be done by another server: no use to try again.
                Ok(()) => {}
                Err(error) if error.status < 500 => {}
                Err(error) if failures >= MAX_FAILURES => {
                    log::warn("room task", &format!("{} in {room_id}: {error}", progress.task.name()));
                }
                Err(_) => {
                    self.retry_later(progress, done, failures).await?;
                    return Ok(false);
                }
            }
            (done, failures) = (*room, 0);
        }
        self.note_progress(progress, done, 0)?;
        Ok(true)
    }

    fn note_progress(&self, progress: &Progress, done: u32, failures: u32) -> Result<(), DatabaseError> {
        self.runtime.db.execute(NOTE, params![done, failures, progress.task.name(), progress.version])
    }

    async fn work_in_room(&self, task: RoomTask, room_id: &OwnedRoomId) -> Result<(), MatrixError> {
        let platform = self.runtime.platform.as_ref();
        let user_id = self.user_id()?;
        match task {
            RoomTask::Profile => {
                let command = UpdateMemberProfile { user_id, profile: self.member_profile()? };
                rpc::call(platform, room_id, &command).await
            }
            RoomTask::Leave => {
                let command = ChangeMembership {
                    sender: user_id.clone(),
                    target: user_id,
                    action: MembershipAction::Leave,
                    profile: MemberProfile::default(),
                    content: Map::new(),
                    is_guest: false,
                    renews: false,
                    third_party_signed: None,
                };
                rpc::call(platform, room_id, &command).await.map(|_| ())
            }
            RoomTask::Directory => Ok(()),
        }
    }

    /// What member events are to say of the user.
    fn member_profile(&self) -> Result<MemberProfile, DatabaseError> {
        let profile = self.profile()?;
        let text = |name: &str| profile.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(MemberProfile {
            displayname: text("displayname"),
            avatar_url: text("avatar_url").map(OwnedMxcUri::from),
        })
    }
}

/// Goes on until nothing is left to do, or the actor ends.
pub(super) async fn work_on(engine: Weak<UserEngine>) {
    while let Some(engine) = engine.upgrade() {
        match engine.work_some(AT_ONCE).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => {
                log::error("room task", &error.to_string());
                return;
            }
        }
    }
}
