//! How far the clients of a user have seen one room, at each of the tokens that they may come back with.
//!
//! A [`SeenLog`] answers: a client whose token is at this position of this chain's stream, how far has it seen the
//! room? The answer may be less than the truth, which shows the client again what it knows, but never more, which
//! would be a hole. So old entries can be thinned: a token between two entries falls back to the older one.

use crate::{
    database::DatabaseError,
    rpc::room::LogPosition,
    varint::{self, Reader},
};

/// How many entries a chain keeps of a room.
const KEPT: usize = 8;
/// How many of these are the newest ones, whatever their distance.
const NEWEST: usize = 4;
/// How many chains are kept. A client of a chain that is not sees the room anew when it changes.
const CHAINS: usize = 32;

/// From `stream` on, a client of `chain` has seen the room up to `position`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    chain: u64,
    stream: u64,
    position: LogPosition,
}

/// See the module's documentation. Entries ascend by chain, then by stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenLog(Vec<Entry>);

impl SeenLog {
    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DatabaseError> {
        let mut reader = Reader::new(bytes);
        let mut entries = Vec::new();
        while !reader.is_at_end() {
            let mut entry = || {
                Some(Entry {
                    chain: reader.number()?,
                    stream: reader.number()?,
                    position: LogPosition(reader.number()?),
                })
            };
            entries.push(entry().ok_or_else(|| DatabaseError::corrupt("what was seen of a room"))?);
        }
        Ok(Self(entries))
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.0 {
            for number in [entry.chain, entry.stream, entry.position.0] {
                varint::write(number, &mut bytes);
            }
        }
        bytes
    }

    /// How far a client has seen the room whose token is at `stream` of `chain`; `None`: not at all.
    pub fn at(&self, chain: u64, stream: u64) -> Option<LogPosition> {
        self.0
            .iter()
            .rev()
            .find(|entry| entry.chain == chain && entry.stream <= stream)
            .map(|entry| entry.position)
    }

    /// Notes that a client saw the room up to `position` in the answer with the token at `stream` of
    /// `chain`; returns whether that is news. When two answers gave out the same token, the lesser counts.
    pub fn note(&mut self, chain: u64, stream: u64, position: LogPosition) -> bool {
        let place = self.0.partition_point(|entry| (entry.chain, entry.stream) < (chain, stream));
        match self.0.get_mut(place) {
            Some(entry) if (entry.chain, entry.stream) == (chain, stream) => {
                let news = position < entry.position;
                entry.position = entry.position.min(position);
                return news;
            }
            _ => self.0.insert(place, Entry { chain, stream, position }),
        }
        self.thin(chain);
        self.drop_stalest_chain();
        true
    }

    /// When there are too many chains, takes out the one that saw the room last the longest ago.
    fn drop_stalest_chain(&mut self) {
        let newest = self.0.chunk_by(|a, b| a.chain == b.chain).filter_map(<[Entry]>::last);
        if newest.clone().count() > CHAINS
            && let Some(stalest) = newest.min_by_key(|entry| entry.stream).map(|entry| entry.chain)
        {
            self.0.retain(|entry| entry.chain != stalest);
        }
    }

    /// Takes out the entry that is least missed when the chain has too many: the newer one of the two that
    /// are closest together, measured by how long ago they were.
    fn thin(&mut self, chain: u64) {
        let start = self.0.partition_point(|entry| entry.chain < chain);
        let end = self.0.partition_point(|entry| entry.chain <= chain);
        let entries = self.0.get(start..end).unwrap_or_default();
        let (Some(newest), true) = (entries.last(), entries.len() > KEPT) else { return };
        let age = |entry: &Entry| newest.stream.saturating_sub(entry.stream).max(1);
        let old = entries.get(..entries.len().saturating_sub(NEWEST)).unwrap_or_default();
        let least = old
            .windows(2)
            .enumerate()
            .filter_map(|(index, pair)| match pair {
                // The ratio of the ages, in parts of 1024.
                [older, newer] => Some((index, age(older).saturating_mul(1024).checked_div(age(newer))?)),
                _ => None,
            })
            .min_by_key(|(_, ratio)| *ratio);
        if let Some((index, _)) = least {
            self.0.remove(start.saturating_add(index).saturating_add(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_between_two_entries_has_seen_what_the_older_one_says() {
        let mut seen = SeenLog::default();
        seen.note(1, 10, LogPosition(5));
        seen.note(1, 20, LogPosition(9));
        assert_eq!(seen.at(1, 9), None);
        assert_eq!(seen.at(1, 10), Some(LogPosition(5)));
        assert_eq!(seen.at(1, 19), Some(LogPosition(5)));
        assert_eq!(seen.at(1, 20), Some(LogPosition(9)));
        assert_eq!(seen.at(2, 20), None);
    }

    #[test]
    fn of_two_answers_with_the_same_token_the_lesser_counts() {
        let mut seen = SeenLog::default();
        assert!(seen.note(1, 10, LogPosition(7)));
        assert!(seen.note(1, 10, LogPosition(5)));
        assert!(!seen.note(1, 10, LogPosition(9)));
        assert_eq!(seen.at(1, 10), Some(LogPosition(5)));
    }

    #[test]
    fn of_too_many_chains_the_stalest_goes() {
        let mut seen = SeenLog::default();
        for chain in 1..=40 {
            seen.note(chain, 100 - chain, LogPosition(chain));
        }
        assert_eq!(seen.at(40, 100), None, "it was the stalest when it came");
        assert_eq!(seen.at(1, 100), Some(LogPosition(1)));
        assert_eq!(seen.0.len(), CHAINS);
    }

    proptest! {
        /// Positions grow with the stream, as a chain's tokens make them.
        #[test]
        fn thinning_never_answers_more_than_was_seen(
            steps in prop::collection::vec((1_u64..3, 1_u64..50, 1_u64..50), 1..200),
        ) {
            let mut seen = SeenLog::default();
            let mut truth: Vec<(u64, u64, u64)> = Vec::new();
            for (chain, stream_step, position_step) in steps {
                let last = truth.iter().rev().find(|(of, ..)| *of == chain).copied();
                let (_, stream, position) = last.unwrap_or_default();
                let (stream, position) = (stream.saturating_add(stream_step), position.saturating_add(position_step));
                truth.push((chain, stream, position));
                seen.note(chain, stream, LogPosition(position));
                prop_assert_eq!(seen.at(chain, stream), Some(LogPosition(position)), "the newest is exact");
                prop_assert_eq!(&SeenLog::decode(&seen.encode()).unwrap(), &seen);
                prop_assert!(seen.0.len() <= 2 * KEPT);
            }
            for chain in 1..3 {
                let of_chain: Vec<_> = truth.iter().filter(|(of, ..)| *of == chain).collect();
                if let Some((_, first, _)) = of_chain.first() {
                    prop_assert!(seen.at(chain, *first).is_some(), "the oldest stays");
                }
                for (_, stream, position) in of_chain {
                    let answer = seen.at(chain, *stream);
                    prop_assert!(answer.is_none_or(|answer| answer.0 <= *position));
                }
            }
        }
    }
}
