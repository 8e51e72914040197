//! The commit: the one way by which anything gets into a room.
//!
//! Everything here is synchronous and runs in one transaction ([`Session`]); at its end all of the
//! room's invariants hold. An event of a client and one of another server pass the same checks
//! (`checks`) and end in the same [`Session::admit`].
//!
//! # Positions
//!
//! A new entry goes to the end of the log. History that other servers hand in later goes where it
//! belongs: an event whose previous events are missing leaves [`GAP`] positions free before it, and
//! what is backfilled takes those, from the largest down. So paging through the log goes through the
//! history in order, however it came here, and followers that are beyond a gap are not told of what
//! fills it.
//!
//! # What is in the log
//!
//! Accepted events. Not: outliers, rejected and soft-failed events, and redactions whose target is
//! not here or that their sender may not make `[room versions, handling redactions]`.

mod admit;
mod checks;
mod hidden;
mod import;
mod local;
mod outliers;
mod partial;
mod policy;
mod redaction;
mod remote;
mod residents;
mod resolve;

use std::rc::Rc;

use ruma::{
    OwnedServerName, OwnedUserId, ServerName, api::error::ErrorCode, room_version_rules::RoomVersionRules,
};
use selvedge_protocol::{
    auth::Rejection,
    event::{BuildError, ParseError, Pdu},
    nid::EventNid,
    policy_server::PolicyServer,
    relations::RelationError,
};

pub use self::{
    import::{ImportError, Piece},
    local::{Committed, NewEvent},
    outliers::Outlier,
    remote::{HistoryEvent, Received, RemoteEvent, ToldState},
};
pub use selvedge_protocol::event::Author;

use self::residents::Filling;
use super::{
    store::{RoomMeta, Writer},
    wake::ResidentChanges,
};
use crate::{database::DatabaseError, matrix_error::MatrixError, rpc::room::LogPosition};

/// How many positions are left free for missing history: more than events fit into a room's database.
pub const GAP: u64 = 1 << 24;

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A rule forbids the event.
    #[error(transparent)]
    Forbidden(#[from] Rejection),
    /// The sender may not redact the event `[room versions, handling redactions]`.
    #[error("the sender may not redact this event")]
    RedactionForbidden,
    /// The content or its size is not what an event can have.
    #[error(transparent)]
    Malformed(#[from] BuildError),
    /// The sender has made the same annotation of the same event already `[C-S §11.3, annotations]`.
    #[error("the sender has annotated the event so already")]
    DuplicateAnnotation,
    /// The event may not relate to another in this way.
    #[error(transparent)]
    Relation(#[from] RelationError),
    /// The room uses this policy server, which has not signed the event. It must be asked for that.
    #[error("{} has not recommended the event", .0.name)]
    Unrecommended(Rc<PolicyServer>),
    /// There is no such room here, or it has no state yet.
    #[error("no such room")]
    NoRoom,
    /// The event is of another room.
    #[error("the event is of another room")]
    OtherRoom,
    /// The room exists already.
    #[error("the room exists already")]
    RoomExists,
    /// Storage failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<CommitError> for MatrixError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Database(error) => error.into(),
            CommitError::Forbidden(rule) if rule.is_malformation() => {
                Self::bad_json(format!("Not a valid event: {rule}"))
            }
            CommitError::Forbidden(_) | CommitError::RedactionForbidden | CommitError::Unrecommended(_) => {
                Self::forbidden(format!("Not allowed: {error}"))
            }
            CommitError::Malformed(BuildError::Event(ParseError::TooLarge)) => {
                Self::too_large("The event is too large")
            }
            CommitError::Malformed(BuildError::Event(error @ ParseError::TooLong(_))) => {
                Self::too_large(error.to_string())
            }
            CommitError::Malformed(error) => Self::bad_json(format!("Not an event: {error}")),
            CommitError::DuplicateAnnotation => {
                Self::new(400, ErrorCode::DuplicateAnnotation, "You have reacted to this event so already")
            }
            CommitError::Relation(error) => Self::new(400, ErrorCode::Unknown, error.to_string()),
            CommitError::OtherRoom => Self::bad_json("The event is of another room"),
            CommitError::NoRoom => Self::not_found("There is no such room"),
            CommitError::RoomExists => Self::room_in_use("The room exists already"),
        }
    }
}

/// What followers must be told of a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "followers must be woken"]
pub struct Effects {
    /// The log's end, if it grew.
    pub position: Option<LogPosition>,
    /// Whether other servers have something to fetch.
    pub broadcast: bool,
    /// The users of this server whose membership of the room changed.
    pub memberships: Vec<MembershipChange>,
    /// Who of other servers came or left.
    pub residents: ResidentChanges,
}

/// A user of this server has another membership in the current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChange {
    /// The user.
    pub user_id: OwnedUserId,
    /// The member event; `None` when state resolution took it away.
    pub nid: Option<EventNid>,
    /// The log's end when it became current.
    pub position: LogPosition,
}

/// A commit under way. The room's own row is changed in memory and written once, by [`Session::finish`].
struct Session<'w, 's> {
    writer: &'w mut Writer<'s>,
    meta: RoomMeta,
    rules: Rc<RoomVersionRules>,
    /// This server's name.
    local: OwnedServerName,
    effects: Effects,
    /// Whose being in the room is no news.
    filling: Filling,
    /// Whether the room is being made.
    is_founding: bool,
}

impl<'w, 's> Session<'w, 's> {
    /// A commit to a room that is known.
    fn open(writer: &'w mut Writer<'s>, local: &ServerName) -> Result<Self, CommitError> {
        let meta = writer.find_meta()?.ok_or(CommitError::NoRoom)?;
        Self::with_meta(writer, local, (*meta).clone())
    }

    /// A commit with a room's row that may not have been written yet.
    fn with_meta(
        writer: &'w mut Writer<'s>,
        local: &ServerName,
        meta: RoomMeta,
    ) -> Result<Self, CommitError> {
        if writer.find_meta()?.is_none() {
            writer.set_meta(meta.clone())?;
        }
        let rules = writer.rules()?;
        Ok(Self {
            writer,
            meta,
            rules,
            local: local.to_owned(),
            effects: Effects::default(),
            filling: Filling::default(),
            is_founding: false,
        })
    }

    /// Writes the room's row and says what followers must be told.
    fn finish(self) -> Result<Effects, CommitError> {
        self.writer.set_meta(self.meta)?;
        Ok(self.effects)
    }

    /// What is of another room must not come near.
    fn require_room(&self, pdu: &Pdu) -> Result<(), CommitError> {
        if pdu.room_id() == self.meta.room_id { Ok(()) } else { Err(CommitError::OtherRoom) }
    }

    /// The next nid.
    fn next_nid(&mut self) -> EventNid {
        self.meta.last_nid = EventNid(self.meta.last_nid.0.saturating_add(1));
        self.meta.last_nid
    }

    /// A position `distance` after the log's end, which it now is.
    fn next_position(&mut self, distance: u64) -> LogPosition {
        let position = LogPosition(self.meta.last_position.0.saturating_add(distance));
        self.meta.last_position = position;
        self.effects.position = Some(position);
        position
    }
}
