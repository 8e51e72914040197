//! Taking in a whole room, as another server gives it in answer to `send_join` `[S-S §10]`.
//!
//! The answer may have hundreds of megabytes, so it comes in pieces, in whatever order, each committed
//! by itself: events that can be checked are, against their auth events; the others wait in the
//! database. When all are there, those are checked, and the join is committed on top, which brings the
//! room to life. Until then nothing of the room is visible, and an import may be begun again at any
//! time; what it left behind is used by the next.

use std::{collections::BTreeSet, rc::Rc};

use ruma::{OwnedRoomId, OwnedServerName, RoomVersionId, ServerName};
use selvedge_protocol::{
    auth::Rejection,
    event::{Pdu, VerifiedPdu},
    nid::EventNid,
    room_version,
    state_tree::{self, StateRoot},
};

use super::{CommitError, Effects, Session, checks::find_auth_events, remote::Received};
use crate::{
    database::DatabaseError,
    room::{
        RoomEngine,
        store::{NewRow, RoomMeta, Standing, StoredEvent},
    },
};

/// A piece of a room that is imported.
#[derive(Debug, Default)]
pub struct Piece {
    /// Events of the auth chain.
    pub auth_chain: Vec<VerifiedPdu>,
    /// Events of the state before the join.
    pub state: Vec<VerifiedPdu>,
}

/// Why a room was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No import was begun.
    #[error("no import is under way")]
    NotBegun,
    /// The room is known, and of another version.
    #[error("the room is of version {0}")]
    OtherVersion(RoomVersionId),
    /// There is no valid create event of the version that was announced.
    #[error("the room has no valid create event")]
    NoCreate,
    /// The join is not allowed by the state that came with it.
    #[error("the join is not allowed: {0}")]
    JoinForbidden(String),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl From<DatabaseError> for ImportError {
    fn from(error: DatabaseError) -> Self {
        Self::Commit(error.into())
    }
}

impl RoomEngine {
    /// Begins an import, or begins it anew, of a room that is not known or that this server left.
    pub fn begin_import(
        &self,
        local: &ServerName,
        room_id: OwnedRoomId,
        version: RoomVersionId,
    ) -> Result<(), ImportError> {
        self.store.write(|writer| {
            let meta = writer.find_meta()?;
            if let Some(meta) = meta.as_ref().filter(|meta| meta.version != version) {
                return Err(ImportError::OtherVersion(meta.version.clone()));
            }
            let meta = meta.map_or_else(|| RoomMeta::new(room_id, version), |meta| (*meta).clone());
            let mut session = Session::with_meta(writer, local, meta)?;
            session.meta.import_root = Some(StateRoot::EMPTY);
            let _ = session.finish()?;
            Ok(())
        })
    }

    /// Takes in a piece. Events of other rooms are left out.
    pub fn import(&self, local: &ServerName, piece: &Piece) -> Result<(), ImportError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            let mut root = session.meta.import_root.ok_or(ImportError::NotBegun)?;
            for event in &piece.auth_chain {
                session.import_event(event)?;
            }
            let mut entries = Vec::with_capacity(piece.state.len());
            for event in &piece.state {
                let Some(nid) = session.import_event(event)? else { continue };
                let row = session.writer.event_row(nid)?;
                if row.standing != Standing::Rejected {
                    entries.extend(row.key.map(|key| (key, Some(nid))));
                }
            }
            root = state_tree::apply(session.writer, root, entries)?;
            session.meta.import_root = Some(root);
            let _ = session.finish()?;
            Ok(())
        })
    }

    /// Checks up to `limit` of the events that could not be checked as they came; whether there are more.
    pub fn check_import(&self, local: &ServerName, limit: u32) -> Result<bool, ImportError> {
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            let waiting = session.writer.unchecked(limit)?;
            for nid in &waiting {
                session.check_waiting(*nid)?;
            }
            let _ = session.finish()?;
            Ok(!waiting.is_empty())
        })
    }

    /// Ends the import without a join: the state that was gathered.
    pub fn take_import(&self, local: &ServerName) -> Result<StateRoot, ImportError> {
        while self.check_import(local, 1_000)? {}
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            let root = session.meta.import_root.take().ok_or(ImportError::NotBegun)?;
            let _ = session.finish()?;
            Ok(root)
        })
    }

    /// Ends the import with the join, as the other server signed it: the room is alive. `without`: the state that was
    /// imported lacks members, and these servers are said to take part.
    ///
    /// The effects are to be given to [`RoomEngine::wake`].
    pub fn finish_import(
        &self,
        local: &ServerName,
        join: &VerifiedPdu,
        without: Option<&[OwnedServerName]>,
    ) -> Result<Effects, ImportError> {
        while self.check_import(local, 1_000)? {}
        self.store.write(|writer| {
            let mut session = Session::open(writer, local)?;
            let root = session.meta.import_root.take().ok_or(ImportError::NotBegun)?;
            session.check_create()?;
            match session.receive_join(join, root, without.is_some())? {
                Received::Accepted(_) => {
                    session.presume_servers(without.unwrap_or_default())?;
                    Ok(session.finish()?)
                }
                Received::Rejected(rule) | Received::SoftFailed(rule) => {
                    Err(ImportError::JoinForbidden(rule))
                }
                Received::Missing { .. } => {
                    Err(ImportError::JoinForbidden(Rejection::MissingAuthEvent.to_string()))
                }
                // The room was joined meanwhile by another way.
                Received::Known | Received::Unconnected => Ok(Effects::default()),
            }
        })
    }
}

impl Session<'_, '_> {
    /// Stores an event as an outlier, checked if its auth events are; `None` for one that cannot be of
    /// this room.
    fn import_event(&mut self, pdu: &Pdu) -> Result<Option<EventNid>, DatabaseError> {
        if pdu.room_id() != self.meta.room_id || pdu.state_key().is_none() {
            return Ok(None);
        }
        if let Some(known) = self.writer.find_nid(pdu.event_id())? {
            return Ok(Some(known));
        }
        match find_auth_events(self.writer, pdu)? {
            // Since room version 12 no event names the create event, and all need it.
            Ok(auth) if self.meta.create.is_some() || pdu.event_type() == "m.room.create" => {
                self.insert_outlier(pdu, &auth)?;
                Ok(self.writer.find_nid(pdu.event_id())?)
            }
            _ => self.store_unchecked(pdu).map(Some),
        }
    }

    fn store_unchecked(&mut self, pdu: &Pdu) -> Result<EventNid, DatabaseError> {
        let nid = self.next_nid();
        let key = self.intern(pdu)?;
        self.writer.insert_event(&NewRow {
            nid,
            pdu,
            key,
            generation: 0,
            auth_events: &[],
            standing: Standing::Unchecked,
            rejection: None,
            position: None,
            states: None,
            redacted_by: None,
            txn: None,
        })?;
        Ok(nid)
    }

    /// Checks an event that waited, and before it those of its auth events that wait too. Events that cite each other
    /// in a circle, which their ids allow in room versions 1 and 2, never have what they need.
    fn check_waiting(&mut self, nid: EventNid) -> Result<(), DatabaseError> {
        let mut stack = vec![(nid, false)];
        let mut open = BTreeSet::new();
        while let Some((nid, is_ready)) = stack.pop() {
            let event = self.writer.event(nid)?;
            if event.standing != Standing::Unchecked {
                continue;
            }
            if is_ready {
                self.decide_waiting(&event)?;
                continue;
            }
            if !open.insert(nid) {
                continue;
            }
            stack.push((nid, true));
            for id in event.pdu.auth_events() {
                stack.extend(self.writer.find_nid(id)?.map(|auth| (auth, false)));
            }
        }
        Ok(())
    }

    /// Decides about an event whose auth events are decided, or will never be here.
    fn decide_waiting(&mut self, event: &Rc<StoredEvent>) -> Result<(), DatabaseError> {
        let standing = if let Ok(auth) = find_auth_events(self.writer, &event.pdu)? {
            self.insert_outlier(&event.pdu, &auth)?
        } else {
            let rule = Rejection::MissingAuthEvent.to_string();
            self.writer.set_checked(event.nid, 0, &[], Standing::Rejected, Some(&rule))?;
            Standing::Rejected
        };
        if standing == Standing::Rejected
            && let (Some(root), Some(key)) = (self.meta.import_root, event.key)
            && state_tree::get(&*self.writer, root, key)? == Some(event.nid)
        {
            self.meta.import_root = Some(state_tree::apply(self.writer, root, [(key, None)])?);
        }
        Ok(())
    }

    /// The room has an accepted create event, of the version that was announced.
    fn check_create(&self) -> Result<(), ImportError> {
        let nid = self.meta.create.ok_or(ImportError::NoCreate)?;
        let create = self.writer.event(nid)?;
        if room_version::of_create(&create.pdu).as_ref() == Some(&self.meta.version) {
            Ok(())
        } else {
            Err(ImportError::NoCreate)
        }
    }
}
