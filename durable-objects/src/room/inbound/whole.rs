//! All of the state before the join by which this server came, of which only a part came with it
//! `[S-S §9, state and state_ids]`. It may be large, so it is read as it arrives.

use std::collections::BTreeSet;

use ruma::{
    EventId, OwnedEventId, OwnedServerName,
    api::{
        OutgoingRequest,
        federation::{
            authentication::ServerSignatures,
            event::{get_room_state::v1 as get_room_state, get_room_state_ids::v1 as get_room_state_ids},
        },
        path_builder::SinglePath,
    },
};
use selvedge_protocol::{
    event::{MAX_PDU_BYTES, Pdu},
    json::Part,
    state_tree::{self, StateRoot},
};
use serde_json::value::RawValue;

use super::gather::{Gather, GatherError};
use crate::{
    federation::{self, Bounds, FederationError, Parts},
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        commit::{ImportError, Piece},
        importing::CHECKED_AT_A_TIME,
        store::Standing,
    },
    rpc::room::ReleaseImport,
};

/// How long all of it may take, in milliseconds.
const MAX_TIME_MS: u64 = 1_800_000;
/// How long an answer may take to begin, and to go on, in milliseconds.
const TIMEOUT_MS: u32 = 60_000;
/// How many bytes it may have: the state of a million members.
const MAX_BYTES: usize = 2 << 30;
/// How many events are fetched one by one before the whole state is asked for.
const MAX_SINGLE: usize = 100;
/// How many events may be fetched so, with what they need.
const MAX_EVENTS: usize = 2_000;
/// How many events are verified and stored at a time.
const PIECE: usize = 500;
/// How many ids are held in memory. Of a larger state, the events themselves are asked for, which need not be held.
const MAX_IDS: usize = 250_000;
/// How many ids are looked at, those of the auth chain too.
const MAX_SEEN: usize = 1_000_000;
/// How many events of an answer may be refused before it is, if they are also more than those that count.
const MAX_REFUSED: usize = 1_000;
/// How many members an answer may have besides its lists.
const MAX_MEMBERS: usize = 1_000;
/// How many bytes an event id may have in an answer.
const MAX_ID: usize = 4 << 10;
/// How many bytes an event may have as it arrives.
const MAX_PART: usize = 4 * MAX_PDU_BYTES;

/// The elements of an answer's lists, as they arrive.
struct Elements {
    parts: Parts,
    /// How many parts were none.
    members: usize,
}

impl Elements {
    /// The next element: the list's name and the element.
    async fn next(&mut self) -> Result<Option<(&'static str, String)>, GatherError> {
        while let Some(part) = self.parts.next().await? {
            match part {
                Part::Element(list, json) => return Ok(Some((list, json))),
                Part::Member(..) => self.members = self.members.saturating_add(1),
            }
            if self.members > MAX_MEMBERS {
                return Err(self.bad(&"it has too many members").into());
            }
        }
        Ok(None)
    }

    fn bad(&self, error: &dyn std::fmt::Display) -> FederationError {
        self.parts.bad(error)
    }
}

impl From<ImportError> for GatherError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Commit(error) => error.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl<'e> Gather<'e> {
    /// A gathering of a whole state, from `server`.
    pub fn of_whole_state(
        engine: &'e std::rc::Rc<RoomEngine>,
        server: OwnedServerName,
    ) -> Result<Self, MatrixError> {
        Self::bounded(engine, server, MAX_TIME_MS, MAX_EVENTS)
    }

    /// The state before `join`, as the server tells it. `is_strict`: with all of its events.
    ///
    /// Where it follows a single event, that is asked about, for any server in the room knows that; else the join.
    pub async fn whole_state_before(&self, join: &Pdu, is_strict: bool) -> Result<StateRoot, GatherError> {
        let (at, prev) = match join.prev_events() {
            [prev] => (prev.clone(), Some(prev.clone())),
            _ => (join.event_id().to_owned(), None),
        };
        if let Some(prev) = &prev {
            self.fetch_outliers(vec![prev.clone()]).await?;
            if self.is_unknown(prev)? {
                return Err(GatherError::Unavailable(
                    "It does not give the event before our join".to_owned(),
                ));
            }
        }
        if let Some((mut ids, unknown)) = self.ids_at(&at).await? {
            self.fetch_outliers(unknown).await?;
            // After those before it, so that it stands in the place of what it replaces.
            ids.extend(prev);
            return self.root_of(ids, is_strict);
        }
        let root = self.import_state(&at).await?;
        prev.map_or(Ok(root), |prev| self.root_after(root, &prev))
    }

    async fn open<R>(
        &self,
        request: R,
        arrays: &'static [&'static str],
        max_part: usize,
    ) -> Result<Elements, GatherError>
    where
        R: OutgoingRequest<Authentication = ServerSignatures, PathBuilder = SinglePath>,
    {
        let bounds = Bounds { timeout_ms: TIMEOUT_MS, max_bytes: MAX_BYTES };
        let platform = self.engine.runtime.platform.as_ref();
        let body = federation::open(platform, &self.origin, request, bounds).await?;
        Ok(Elements { parts: Parts::new(body, arrays, max_part), members: 0 })
    }

    /// The ids of the state before an event, and those of them and of their auth chain that are not here; `None` when
    /// these are too many to be fetched one by one, or all to be held.
    async fn ids_at(
        &self,
        at: &EventId,
    ) -> Result<Option<(Vec<OwnedEventId>, Vec<OwnedEventId>)>, GatherError> {
        let request = get_room_state_ids::Request::new(at.to_owned(), self.room_id()?);
        let mut elements = self.open(request, &["pdu_ids", "auth_chain_ids"], MAX_ID).await?;
        let (mut state, mut unknown, mut seen) = (Vec::new(), BTreeSet::new(), 0_usize);
        while let Some((list, json)) = elements.next().await? {
            let id: OwnedEventId = serde_json::from_str(&json).map_err(|error| elements.bad(&error))?;
            if self.is_unknown(&id)? {
                unknown.insert(id.clone());
                if unknown.len() > MAX_SINGLE {
                    return Ok(None);
                }
            }
            if list == "pdu_ids" {
                state.push(id);
            }
            seen = seen.saturating_add(1);
            if state.len() > MAX_IDS || seen > MAX_SEEN {
                return Ok(None);
            }
        }
        if state.is_empty() {
            return Err(GatherError::Garbled("A state without events".to_owned()));
        }
        Ok(Some((state, unknown.into_iter().collect())))
    }

    fn root_of(&self, mut ids: Vec<OwnedEventId>, is_strict: bool) -> Result<StateRoot, GatherError> {
        let local = self.engine.runtime.platform.config().server_name.clone();
        let missing = match self.engine.root_of(&local, &ids)? {
            Ok(root) => return Ok(root),
            Err(missing) => missing,
        };
        let text = format!("{} events of the state cannot be had", missing.len());
        if is_strict {
            return Err(GatherError::Unavailable(text));
        }
        crate::log::warn("completion", &text);
        let missing: BTreeSet<_> = missing.into_iter().collect();
        ids.retain(|id| !missing.contains(id));
        self.engine.root_of(&local, &ids)?.map_err(|_| GatherError::Unavailable(text))
    }

    /// Fetches all events of a state, and takes them in as they arrive.
    async fn import_state(&self, at: &EventId) -> Result<StateRoot, GatherError> {
        let busy = || GatherError::Unavailable("The room is being joined".to_owned());
        let token = self.engine.reserve_for_own_use()?.ok_or_else(busy)?;
        let imported = self.import_all(at, token).await;
        self.engine.release_import(ReleaseImport { token }).map_err(GatherError::Internal)?;
        imported
    }

    async fn import_all(&self, at: &EventId, token: u64) -> Result<StateRoot, GatherError> {
        let local = self.engine.runtime.platform.config().server_name.clone();
        let meta = self.engine.store.meta()?;
        self.engine.store.write(|writer| writer.set_import_token(token))?;
        self.engine.begin_import(&local, meta.room_id.clone(), meta.version.clone())?;
        let request = get_room_state::Request::new(at.to_owned(), meta.room_id.clone());
        let mut elements = self.open(request, &["pdus", "auth_chain"], MAX_PART).await?;
        let (mut chain, mut state) = (Vec::new(), Vec::new());
        let (mut taken, mut refused) = (0_usize, 0_usize);
        while let Some((list, json)) = elements.next().await? {
            let event = RawValue::from_string(json).map_err(|error| elements.bad(&error))?;
            if list == "pdus" { &mut state } else { &mut chain }.push(event);
            if chain.len().saturating_add(state.len()) >= PIECE {
                let (chain, state) = (std::mem::take(&mut chain), std::mem::take(&mut state));
                let count = self.take_piece(token, chain, state).await?;
                taken = taken.saturating_add(count);
                refused = refused.saturating_add(PIECE.saturating_sub(count));
                if refused > taken.saturating_add(MAX_REFUSED) {
                    return Err(elements.bad(&"most of it are no events that count").into());
                }
            }
        }
        self.take_piece(token, chain, state).await?;
        while self.engine.check_import(&local, CHECKED_AT_A_TIME)? {
            self.hold(token)?;
            // Others get their turn.
            self.engine.runtime.platform.sleep(0).await;
        }
        Ok(self.engine.take_import(&local)?)
    }

    /// Goes on holding the reservation of the room.
    fn hold(&self, token: u64) -> Result<(), GatherError> {
        self.engine.renew(token).map_err(|error| GatherError::Unavailable(error.message.to_string()))
    }

    /// Takes in events; how many count.
    async fn take_piece(
        &self,
        token: u64,
        chain: Vec<Box<RawValue>>,
        state: Vec<Box<RawValue>>,
    ) -> Result<usize, GatherError> {
        let auth_chain = self.verify_uncounted(&chain).await?;
        let state = self.verify_uncounted(&state).await?;
        self.hold(token)?;
        let local = self.engine.runtime.platform.config().server_name.clone();
        let count = auth_chain.len().saturating_add(state.len());
        self.engine.import(&local, &Piece { auth_chain, state })?;
        Ok(count)
    }

    /// The state after an event that is here, of the one before it.
    fn root_after(&self, root: StateRoot, event_id: &EventId) -> Result<StateRoot, GatherError> {
        let event = self.engine.store.find_event(event_id)?;
        let event = event.filter(|event| !matches!(event.standing, Standing::Rejected | Standing::Unchecked));
        let Some((key, nid)) = event.and_then(|event| Some((event.key?, event.nid))) else {
            return Ok(root);
        };
        Ok(self.engine.store.write(|writer| state_tree::apply(writer, root, [(key, Some(nid))]))?)
    }
}
