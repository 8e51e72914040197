//! Several servers share a room over a bad network, and agree once it is mended.
//!
//! Everything follows from a seed. `SELVEDGE_SIM_SEED=N` replays one, `SELVEDGE_SIM_SEEDS=N` runs so
//! many of them, from `SELVEDGE_SIM_FIRST` on.

mod actions;
mod gather;
mod network;
mod verdict;

use std::collections::BTreeSet;

use ruma::{OwnedEventId, RoomVersionId};

use self::network::Network;
use super::peer::Peer;

/// The seeds of an ordinary run.
const SEEDS: u64 = 15;
/// What happens in one run.
const STEPS: u32 = 300;

/// A source of chance that is the same everywhere.
struct Chance(u64);

impl Chance {
    /// The next number: `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// True in `percent` of 100 cases.
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A run.
struct Simulation {
    chance: Chance,
    /// The servers; the first made the room.
    peers: Vec<Peer>,
    network: Network,
    /// Events that break rules, made by a server that knows none.
    forged: BTreeSet<OwnedEventId>,
    is_verbose: bool,
}

impl Simulation {
    fn new(seed: u64, is_verbose: bool) -> Self {
        let mut chance = Chance(seed);
        let versions = [
            RoomVersionId::V2,
            RoomVersionId::V5,
            RoomVersionId::V9,
            RoomVersionId::V10,
            RoomVersionId::V11,
            RoomVersionId::V11,
            RoomVersionId::V12,
            RoomVersionId::V12,
        ];
        let version = &versions[chance.below(versions.len())];
        let count = 3 + chance.below(5);
        let creator = Peer::creating("s0.test", version);
        let others: Vec<_> =
            (1..count).map(|index| Peer::joining(&format!("s{index}.test"), &creator)).collect();
        let peers: Vec<_> = std::iter::once(creator).chain(others).collect();
        let network = Network::new(peers.len());
        let simulation = Self { chance, peers, network, forged: BTreeSet::new(), is_verbose };
        simulation.say(|| format!("seed {seed}, version {version}, {count} servers"));
        simulation
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.is_verbose {
            eprintln!("{}", what());
        }
    }

    fn run(&mut self) {
        self.gather_everyone();
        for _ in 0..STEPS {
            match self.chance.below(100) {
                0..40 => self.act(),
                40..90 => self.deliver_some(),
                90..94 => self.network.partition(&mut self.chance),
                94..96 => self.network.mend(),
                96..98 => {
                    let peer = self.chance.below(self.peers.len());
                    self.complete(peer);
                }
                _ => {
                    let peer = self.chance.below(self.peers.len());
                    self.crash(peer);
                }
            }
        }
        self.network.mend();
        while let Some(peer) = (0..self.peers.len()).find(|index| self.peers[*index].is_partial()) {
            self.complete(peer);
        }
        self.heal();
        self.judge();
    }

    /// Takes a server down and up again.
    fn crash(&mut self, index: usize) {
        self.say(|| format!("s{index} crashes"));
        let spare = Peer::joining("spare.test", &self.peers[0]);
        let peer = std::mem::replace(&mut self.peers[index], spare);
        self.peers[index] = peer.restarted();
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

#[test]
fn servers_agree_once_the_network_is_mended() {
    let single = setting("SELVEDGE_SIM_SEED");
    let first = setting("SELVEDGE_SIM_FIRST").unwrap_or(0);
    let seeds = match single {
        Some(seed) => seed..seed + 1,
        None => first..first + setting("SELVEDGE_SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let run = std::panic::AssertUnwindSafe(|| Simulation::new(seed, single.is_some()).run());
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("to replay: SELVEDGE_SIM_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
