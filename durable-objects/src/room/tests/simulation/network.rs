//! What lies between the servers.

use std::collections::BTreeSet;

use selvedge_protocol::event::Pdu;

use super::{Chance, Peer, Simulation};
use crate::rpc::room::LogPosition;

/// An event on its way.
#[derive(Clone)]
pub(super) struct Delivery {
    pub from: usize,
    pub to: usize,
    pub pdu: Pdu,
}

/// The network, and how far each server has read each other's log.
pub(super) struct Network {
    pub under_way: Vec<Delivery>,
    /// By reader, then by room.
    cursors: Vec<Vec<LogPosition>>,
    /// The servers on one side of a partition; empty when there is none.
    side: BTreeSet<usize>,
}

impl Network {
    pub fn new(count: usize) -> Self {
        Self {
            under_way: Vec::new(),
            cursors: vec![vec![LogPosition(0); count]; count],
            side: BTreeSet::new(),
        }
    }

    /// Whether two servers reach each other.
    pub fn connects(&self, a: usize, b: usize) -> bool {
        self.side.contains(&a) == self.side.contains(&b)
    }

    pub fn partition(&mut self, chance: &mut Chance) {
        let count = self.cursors.len();
        self.side = (0..count).filter(|_| chance.percent(50)).collect();
    }

    pub fn mend(&mut self) {
        self.side.clear();
    }
}

impl Simulation {
    /// Lets the queues towards other servers fetch what they are owed.
    pub(super) fn send_out(&mut self, from: usize) {
        for to in 0..self.peers.len() {
            if to == from {
                continue;
            }
            let after = self.network.cursors[to][from];
            let server = self.peers[to].server.clone();
            let (pdus, position) = self.peers[from].owed_to(&server, after);
            self.network.cursors[to][from] = position;
            for pdu in pdus {
                if self.chance.percent(4) {
                    self.say(|| format!("{} is lost on its way from s{from} to s{to}", pdu.event_id()));
                    continue;
                }
                let copies = if self.chance.percent(10) { 2 } else { 1 };
                for _ in 0..copies {
                    self.network.under_way.push(Delivery { from, to, pdu: pdu.clone() });
                }
            }
        }
    }

    /// Delivers some events, in whatever order.
    pub(super) fn deliver_some(&mut self) {
        for _ in 0..=self.chance.below(4) {
            if self.network.under_way.is_empty() {
                return;
            }
            let index = self.chance.below(self.network.under_way.len());
            let delivery = self.network.under_way.swap_remove(index);
            if self.network.connects(delivery.from, delivery.to) {
                self.deliver(delivery);
            } else if self.chance.percent(80) {
                // The queue tries again; or it gives up.
                self.network.under_way.push(delivery);
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        let Delivery { from, to, pdu } = delivery.clone();
        if self.chance.percent(5) {
            let statements = u32::try_from(self.chance.below(120)).unwrap();
            self.peers[to].crash.plan(statements);
        }
        let outcome = self.take_in(from, to, &pdu);
        let crashed = self.peers[to].crash.avert();
        self.say(|| format!("s{to} gets {} {} of s{from}: {outcome:?}", pdu.event_id(), pdu.event_type()));
        if outcome.is_err() {
            assert!(crashed, "s{to} failed without a crash: {outcome:?}");
            self.crash(to);
            self.network.under_way.push(delivery);
        }
        self.send_out(to);
    }

    /// After the network is mended: everyone hears of everything, fetches what it lacks of the past, and
    /// sends once more.
    pub(super) fn heal(&mut self) {
        self.settle();
        for to in self.alive() {
            self.backfill(to);
        }
        for from in 0..self.peers.len() {
            self.settle();
            if self.send_message(from) {
                self.settle();
            }
        }
    }

    pub(super) fn flush(&mut self) {
        while let Some(delivery) = self.network.under_way.pop() {
            self.deliver(delivery);
        }
    }

    /// Each server's extremities come to each other server, until nothing is new.
    fn settle(&mut self) {
        for _ in 0..10 {
            self.flush();
            let before: Vec<_> = self.peers.iter().map(Peer::event_count).collect();
            for from in self.alive() {
                for to in self.alive() {
                    for id in self.peers[from].extremities() {
                        if from != to {
                            let pdu = self.peers[from].pdu(&id);
                            self.deliver(Delivery { from, to, pdu });
                        }
                    }
                }
            }
            self.flush();
            if self.peers.iter().map(Peer::event_count).collect::<Vec<_>>() == before {
                return;
            }
        }
        panic!("the servers never come to rest");
    }

    /// The servers that have the room.
    pub(super) fn alive(&self) -> Vec<usize> {
        let has_room = |index: &usize| !self.peers[*index].extremities().is_empty();
        (0..self.peers.len()).filter(has_room).collect()
    }
}
