//! Which member events a client that loads them lazily has got, as far as this actor remembers: they need not be sent
//! again `[C-S §6.5]`.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use ruma::api::client::filter::LazyLoadOptions;
use selvedge_protocol::nid::EventNid;

use super::{Pull, Timeline};
use crate::{room::store::StoredEvent, rpc::room::LogPosition, sorted::SortedMap};

/// How many clients are remembered.
const MAX_CLIENTS: usize = 256;
/// How many member events of each.
const MAX_MEMBERS: usize = 1_000;

/// What each client has got, by user and client.
#[derive(Debug, Default)]
pub struct SentMembers(RefCell<SortedMap<(String, u64), Sent>>);

/// A client has got what was in the answer that it comes back from; an answer that was lost counts for nothing.
#[derive(Debug, Default)]
struct Sent {
    /// What it has got, up to a position.
    received: (LogPosition, BTreeSet<EventNid>),
    /// What was in the last answer, and where that ended.
    pending: (LogPosition, BTreeSet<EventNid>),
}

impl Sent {
    /// The client comes back, from a position.
    fn returns(&mut self, from: LogPosition) {
        let (at, pending) = std::mem::take(&mut self.pending);
        if from < self.received.0 || self.received.1.len() > MAX_MEMBERS {
            self.received = Default::default();
        }
        if at == from {
            self.received.0 = from;
            self.received.1.extend(pending);
        }
    }
}

impl Pull<'_> {
    fn client(&self) -> (String, u64) {
        (self.asked.reader.user_id.to_string(), self.asked.client)
    }

    /// Of member events, those that the client has got.
    pub fn already_sent(&self, members: BTreeSet<EventNid>) -> BTreeSet<EventNid> {
        let mut clients = self.engine.sent_members.0.borrow_mut();
        let Some(sent) = clients.get_mut(&self.client()) else { return BTreeSet::new() };
        let Some(from) = self.asked.from.filter(|_| !self.asked.full_state) else {
            clients.remove(&self.client());
            return BTreeSet::new();
        };
        sent.returns(from);
        let options = &self.asked.state.lazy_load_options;
        if matches!(options, LazyLoadOptions::Enabled { include_redundant_members: true }) {
            return BTreeSet::new();
        }
        members.intersection(&sent.received.1).copied().collect()
    }

    /// Remembers which member events are in an answer.
    pub fn remember_members(&self, timeline: &Timeline, state: &[Rc<StoredEvent>]) {
        if !self.is_lazy() || self.asked.full_state {
            return;
        }
        let events = timeline.events.iter().chain(state);
        let members = events.filter(|event| event.pdu.event_type() == "m.room.member").map(|event| event.nid);
        let mut clients = self.engine.sent_members.0.borrow_mut();
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.or_default(self.client()).pending = (self.end, members.collect());
    }
}
