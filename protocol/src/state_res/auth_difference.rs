//! The *auth difference*, at a cost that follows the conflict. [rooms v2, state resolution, definitions]
//!
//! # What it is
//!
//! With `A(X)` for the events in `X` and their auth chains, and states `S1, S2, …`, the auth difference is
//! `⋃ A(Si) − ⋂ A(Si)`: it is defined over *all* events of each state.
//!
//! By the letter of the specification, the chain of an event does not contain the event itself, so that an event that
//! all states have would be in the difference when only one of them cites it. Synapse, and what Conduit and its kin
//! give to ruma, count a state's own events. It matters: with the letter, such an event is among those that the auth
//! checks go through, and replaces there what an older event of its key had put in place, by which others are then
//! judged. Servers that disagree about this end up with different states, so this does what the others do. For
//! conflicted events it makes no difference, because they are in the full conflicted set anyway.
//!
//! # How it is found
//!
//! Let `U` be the unconflicted events and `Di = Si − U` the conflicted events of each state.
//!
//! 1. `A` of a union is the union of `A`s, so `A(Si) = A(U) ∪ A(Di)`. What is in `A(U)` is in every `A(Si)`.
//!    Hence *the difference is `(⋃ A(Di) − ⋂ A(Di)) − A(U)`*: an event is in it exactly if some `Di` reaches it, not
//!    every `Di` reaches it, and `U` does not.
//!
//! 2. Which `Di` reach an event, or have it, is found by walking back from all of them at once in descending order of
//!    [generation](super::AuthNode::generation). An event's generation is larger than those of its auth events, so when
//!    the walk takes an event, everything that cites it and that some `Di` leads to has been taken before: the sides
//!    recorded for it are all there are. It is in the difference if they are not all sides and `U` does not reach it.
//!
//! 3. What all sides reach, or `U` reaches, is *common*: so is everything in its own auth chain. Common events are
//!    walked too, because they may lead to events that are otherwise known from some sides only. When all events
//!    that wait are common, everything below them is, and the walk ends.
//!
//! 4. Whether `U` reaches `x` is asked once for each event when the walk first meets it. `U` may have 100,000
//!    events, so it is not walked from: `x ∈ A(U)` if and only if `x ∈ U` or some event `y` that cites `x` is in `A(U)`.
//!    So [`Reach`] searches *forward* over the citers of `x`, with answers remembered. The auth graph is finite and has
//!    no cycles, so the search ends, and it says no only after it has seen every event from which `x` can be reached.
//!    That an event is in `U` is one look-up in the state tree: the unconflicted event for its key is the event.
//!
//! # What it costs
//!
//! The walk takes the differing events' chains down to where the sides agree, and no further. The forward search nearly
//! always ends at its first steps: an auth event that is still in force, or was once, is cited by something that is in
//! the state now, or that a present entry descends from in its own line (a membership cites the membership that it
//! replaced, power levels the power levels), and the newest citers are asked first. It only goes on through
//! events that are in no chain of the unconflicted state: those of branches that lost an earlier conflict, and those
//! that came later where states of long ago are resolved.
//!
//! The `m.room.create` event is left out. Where it is cited at all, every other event cites it, so that it is in all
//! chains; and since it is allowed without any check and is unconflicted in every room, it would change no result.

use std::collections::{BTreeMap, BTreeSet};

use super::{ResolveStore, conflict::Conflict, facts::Facts, reach::Reach};
use crate::nid::EventNid;

/// The events that are in some of the states or their auth chains, but not for all of the states.
pub(super) fn auth_difference<S: ResolveStore>(
    facts: &Facts<'_, S>,
    conflict: &Conflict,
) -> Result<BTreeSet<EventNid>, S::Error> {
    let mut walk = Walk {
        facts,
        reach: Reach::new(facts, conflict),
        sides: conflict.sides(),
        waiting: BTreeMap::new(),
        not_common: 0,
    };
    for (_, events) in conflict.keys() {
        for (side, event) in events.iter().enumerate() {
            if let Some(event) = event {
                walk.add(*event, &Sides::one(side, walk.sides))?;
            }
        }
    }
    let mut difference = BTreeSet::new();
    while walk.not_common > 0 {
        let Some(((_, event), sides)) = walk.waiting.pop_last() else { break };
        if sides != Sides::All {
            walk.not_common = walk.not_common.saturating_sub(1);
            difference.insert(event);
        }
        for auth_event in facts.node(event)?.auth_events.iter() {
            walk.add(*auth_event, &sides)?;
        }
    }
    Ok(difference)
}

/// The walk back from the conflicted events.
struct Walk<'a, S: ResolveStore> {
    facts: &'a Facts<'a, S>,
    reach: Reach<'a, S>,
    sides: usize,
    /// The events to take, by generation, with the sides that reach them.
    waiting: BTreeMap<(u32, EventNid), Sides>,
    /// How many of those are not common.
    not_common: usize,
}

impl<S: ResolveStore> Walk<'_, S> {
    /// Lets `event` wait, as reached by `sides`.
    fn add(&mut self, event: EventNid, sides: &Sides) -> Result<(), S::Error> {
        let node = self.facts.node(event)?;
        if Some(node.key) == self.facts.create_key {
            return Ok(());
        }
        let place = (node.generation, event);
        let before = self.waiting.get(&place);
        let was_waiting = before.is_some_and(|before| *before != Sides::All);
        let after = match before {
            Some(before) => before.union(sides),
            None if self.reach.is_reached(event)? => Sides::All,
            None => sides.clone(),
        };
        match (was_waiting, after != Sides::All) {
            (false, true) => self.not_common = self.not_common.saturating_add(1),
            (true, false) => self.not_common = self.not_common.saturating_sub(1),
            _ => {}
        }
        self.waiting.insert(place, after);
        Ok(())
    }
}

/// A set of sides.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sides {
    /// Every side.
    All,
    /// Not every side: for each, by its position, whether it is one of them.
    Some(Vec<bool>),
}

impl Sides {
    fn one(side: usize, count: usize) -> Self {
        Self::Some((0..count).map(|each| each == side).collect())
    }

    fn union(&self, other: &Self) -> Self {
        let (Self::Some(a), Self::Some(b)) = (self, other) else { return Self::All };
        let union: Vec<bool> = a.iter().zip(b).map(|(a, b)| *a || *b).collect();
        if union.contains(&false) { Self::Some(union) } else { Self::All }
    }
}
