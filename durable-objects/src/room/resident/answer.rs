//! What a server is told of the room when its user has become a member.

use std::{collections::BTreeSet, rc::Rc};

use ruma::OwnedServerName;
use selvedge_protocol::{auth::AuthState, nid::EventNid, stripped_state::STRIPPED_STATE_TYPES};
use serde_json::value::RawValue;

use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{RoomEngine, graph, state::State, store::StoredEvent},
    rpc::room::{AcceptedMembership, WantedAnswer},
};

/// How many members a room without a name is named after `[C-S §11.2, summary]`.
const MAX_HEROES: usize = 5;
/// How many members are looked at to find those.
const MAX_MEMBERS: usize = 50;
/// How many servers are named.
const MAX_SERVERS: u32 = 10_000;

impl RoomEngine {
    pub(super) fn answer_with(
        &self,
        event: &Rc<StoredEvent>,
        wanted: WantedAnswer,
    ) -> Result<AcceptedMembership, MatrixError> {
        match wanted {
            WantedAnswer::Nothing => Ok(AcceptedMembership::default()),
            WantedAnswer::StrippedState => {
                Ok(AcceptedMembership { state: self.shown_state()?, ..AcceptedMembership::default() })
            }
            WantedAnswer::State { omit_members } => self.state_answer(event, omit_members),
        }
    }

    /// What those see of the room who are invited or knock, as whole events.
    pub(super) fn shown_state(&self) -> Result<Vec<Box<RawValue>>, MatrixError> {
        let state = State::current(&self.store)?;
        let mut events = Vec::new();
        for event_type in STRIPPED_STATE_TYPES {
            if let Some(event) = state.get(event_type, "")? {
                events.push(RawValue::from_string(event.json().to_owned())?);
            }
        }
        Ok(events)
    }

    fn state_answer(
        &self,
        event: &StoredEvent,
        omit_members: bool,
    ) -> Result<AcceptedMembership, MatrixError> {
        let before = event.states.ok_or_else(|| MatrixError::internal("A join without state"))?.before;
        let state = State::at(&self.store, before);
        let heroes = if omit_members { heroes(&state, event)? } else { BTreeSet::new() };
        let mut nids = Vec::new();
        let mut members_omitted = false;
        for entry in state.entries() {
            let (_, nid) = entry?;
            if omit_members && !heroes.contains(&nid) && self.store.membership_of(nid)?.is_some() {
                members_omitted = true;
                continue;
            }
            nids.push(nid);
        }
        let leading = nids.iter().copied().chain([event.nid]);
        let mut chain = graph::auth_chain(&self.store, leading.map(Ok))?;
        if omit_members {
            for nid in &nids {
                chain.remove(nid);
            }
        }
        let servers = if members_omitted { self.servers_before(event)? } else { Vec::new() };
        Ok(AcceptedMembership {
            event: None,
            state: self.texts(nids)?,
            auth_chain: self.texts(chain)?,
            members_omitted,
            servers,
        })
    }

    pub(in crate::room) fn texts(
        &self,
        nids: impl IntoIterator<Item = EventNid>,
    ) -> Result<Vec<Box<RawValue>>, MatrixError> {
        let text = |nid| Ok(RawValue::from_string(self.store.event(nid)?.pdu.json().to_owned())?);
        nids.into_iter().map(text).collect()
    }

    /// The servers with joined users, but for one that the event brought in.
    fn servers_before(&self, event: &StoredEvent) -> Result<Vec<OwnedServerName>, DatabaseError> {
        let newcomer = event.pdu.sender().server_name();
        let servers = self.store.resident_servers("", MAX_SERVERS)?.into_iter();
        let others = servers.filter(|server| *server.name != *newcomer || server.joined > 1);
        let mut names = vec![self.runtime.platform.config().server_name.clone()];
        names.extend(others.map(|server| server.name));
        Ok(names)
    }
}

/// The members that a room without a name is called after.
fn heroes(state: &State, event: &StoredEvent) -> Result<BTreeSet<EventNid>, DatabaseError> {
    for event_type in ["m.room.name", "m.room.canonical_alias"] {
        if state.get(event_type, "")?.is_some() {
            return Ok(BTreeSet::new());
        }
    }
    let members = state.of_type("m.room.member", None, MAX_MEMBERS)?;
    let heroes = members.into_iter().filter(|member| {
        let membership = member.pdu.content_str("membership");
        matches!(membership.as_deref(), Some("join" | "invite"))
            && member.pdu.state_key() != event.pdu.state_key()
    });
    Ok(heroes.take(MAX_HEROES).map(|member| member.nid).collect())
}
