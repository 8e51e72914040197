//! How one server joins through another.

use std::collections::BTreeSet;

use ruma::{OwnedEventId, OwnedServerName};
use selvedge_protocol::event::{EventBuilder, Pdu};

use super::{Peer, member};
use crate::room::{
    commit::{CommitError, ImportError, NewEvent, Piece, Received},
    graph,
    state::State,
};

impl Peer {
    /// Another server that joins the room through `self`, with a user of the name `name`.
    pub fn joined_by(&self, server: &str, name: &str) -> Self {
        let peer = Self::empty(server, &self.version, &self.clock);
        peer.join_through(self, name);
        peer
    }

    /// Joins by `make_join` and `send_join`, with an answer in pieces.
    pub fn join_through(&self, resident: &Self, name: &str) {
        let join = resident.make_join(self, name);
        let received = resident.receive_as(&join, true, None).unwrap();
        assert!(matches!(received, Received::Accepted(_)), "{received:?}");
        self.import_from(resident, &join, 7);
    }

    /// The signed join that a user of `joining` makes from the template of `self`.
    pub fn make_join(&self, joining: &Self, name: &str) -> Pdu {
        self.try_make_join(joining, name).unwrap()
    }

    /// The same; `None` when it is not allowed.
    pub fn try_make_join(&self, joining: &Self, name: &str) -> Option<Pdu> {
        let user = joining.user(name);
        let event = NewEvent::state(user.clone(), "m.room.member", user.as_str(), member("join"));
        let template = self.room.template(&self.author(), &event).ok()?;
        let mut builder = EventBuilder::from_template(&template, &self.rules, user, joining.now()).unwrap();
        builder.opaque_id = Some(format!("join{}", joining.clock.get()));
        Some(builder.build(&joining.server, &joining.key, &self.rules).unwrap())
    }

    /// The pieces of the answer to `send_join` for `join`, of `size` events each.
    pub fn send_join_answer(&self, join: &Pdu, size: usize) -> Vec<Piece> {
        let store = &self.room.store;
        let join = store.find_event(join.event_id()).unwrap().unwrap();
        let state = State::at(store, join.states.unwrap().before);
        let chain =
            graph::auth_chain(store, state.entries().map(|entry| entry.map(|(_, event)| event))).unwrap();
        let mut pieces = Vec::new();
        let state: Vec<_> = state.all().unwrap().into_iter().map(|event| self.verified(&event.pdu)).collect();
        let chain: Vec<_> =
            chain.into_iter().rev().map(|nid| self.verified(&store.event(nid).unwrap().pdu)).collect();
        pieces
            .extend(state.chunks(size).map(|chunk| Piece { auth_chain: Vec::new(), state: chunk.to_vec() }));
        pieces
            .extend(chain.chunks(size).map(|chunk| Piece { auth_chain: chunk.to_vec(), state: Vec::new() }));
        pieces
    }

    /// Joins by `make_join` and `send_join`, with an answer that leaves members out; the join.
    pub fn join_partially(&self, resident: &Self, name: &str) -> Pdu {
        let join = resident.make_join(self, name);
        let received = resident.receive_as(&join, true, None).unwrap();
        assert!(matches!(received, Received::Accepted(_)), "{received:?}");
        self.try_import_partially(resident, &join).unwrap();
        join
    }

    /// Takes in an answer to `send_join` for `join` that leaves members out.
    pub fn try_import_partially(&self, resident: &Self, join: &Pdu) -> Result<(), ImportError> {
        let id = join.event_id().to_owned();
        self.room.begin_import(&self.server, join.room_id().to_owned(), self.version.clone())?;
        let (mut state, _) = resident.state_before(&id);
        state.retain(|event| event.event_type() != "m.room.member");
        let chain = resident.auth_chain(&[&state[..], std::slice::from_ref(join)].concat());
        let verified = |events: &[Pdu]| events.iter().map(|event| self.verified(event)).collect();
        self.room.import(&self.server, &Piece { auth_chain: verified(&chain), state: verified(&state) })?;
        let servers = resident.servers_before(&id);
        self.room.finish_import(&self.server, &self.verified(join), Some(&servers)).map(drop)
    }

    /// The servers that take part before an event.
    fn servers_before(&self, id: &OwnedEventId) -> Vec<OwnedServerName> {
        let members = self.state_before(id).0;
        let joined = members.iter().filter(|event| {
            event.event_type() == "m.room.member"
                && event.content_str("membership").as_deref() == Some("join")
        });
        let servers = joined.map(|event| {
            let user = event.state_key().unwrap();
            <&ruma::UserId>::try_from(user).unwrap().server_name().to_owned()
        });
        servers.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What authorises events.
    pub fn auth_chain(&self, of: &[Pdu]) -> Vec<Pdu> {
        let store = &self.room.store;
        let nids = of.iter().map(|event| Ok(store.find_nid(event.event_id()).unwrap().unwrap()));
        let chain = graph::auth_chain(store, nids).unwrap();
        chain.into_iter().map(|nid| (*store.event(nid).unwrap().pdu).clone()).collect()
    }

    /// Takes in the rest of the state, from one who has all of it.
    pub fn complete_from(&self, resident: &Self) {
        self.try_complete_from(resident).unwrap();
    }

    pub fn try_complete_from(&self, resident: &Self) -> Result<(), CommitError> {
        while let Some(join) = self.room.store.awaited_join()? {
            let id = self.room.store.event_id(join)?;
            let (state, chain) = resident.state_before(&id);
            self.try_outliers(&[chain, state.clone()].concat())?;
            let ids: Vec<_> = state.iter().map(|event| event.event_id().to_owned()).collect();
            let root = self.room.root_of(&self.server, &ids)?.expect("the state was just stored");
            assert_eq!(self.room.settle_join(&self.server, join, root)?, None);
        }
        self.room.make_whole(&self.server).map(drop)
    }

    /// Whether members are missing from the state.
    pub fn is_partial(&self) -> bool {
        self.find_meta().unwrap().is_some_and(|meta| meta.is_partial)
    }

    pub fn import_from(&self, resident: &Self, join: &Pdu, size: usize) {
        self.try_import_from(resident, join, size).unwrap();
    }

    pub fn try_import_from(&self, resident: &Self, join: &Pdu, size: usize) -> Result<(), ImportError> {
        let room_id = join.room_id().to_owned();
        self.room.begin_import(&self.server, room_id, self.version.clone())?;
        for piece in resident.send_join_answer(join, size) {
            self.room.import(&self.server, &piece)?;
        }
        self.room.finish_import(&self.server, &self.verified(join), None).map(drop)
    }
}
