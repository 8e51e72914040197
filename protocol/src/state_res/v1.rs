//! Version 1 of the algorithm, for rooms of version 1. [rooms v1, state resolution]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use ruma::room_version_rules::AuthorizationRules;
use sha1::{Digest, Sha1};

use super::{ResolveStore, checks::PartialState, conflict::Conflict, facts::Facts};
use crate::nid::{EventNid, StateKeyNid};

/// The events that conflict for a key, by ascending depth, then descending SHA-1 of the event id.
type Candidates = BTreeMap<StateKeyNid, Vec<EventNid>>;

/// Decides the keys on which the states differ. A key that some states lack and the others agree on is no conflict.
///
/// "Repeat for conflicts between member events" is read as every server does: one list for each member, all of them
/// against the same state, so that the order of the members does not matter.
pub(super) fn decide<S: ResolveStore>(
    facts: &Facts<'_, S>,
    rules: &AuthorizationRules,
    conflict: &Conflict,
) -> Result<BTreeMap<StateKeyNid, EventNid>, S::Error> {
    let mut state = PartialState::new(facts, Some(conflict));
    let mut passes: [Candidates; 3] = Default::default();
    let mut others = Candidates::new();
    for (key, events) in conflict.keys() {
        let events: BTreeSet<EventNid> = events.iter().flatten().copied().collect();
        let Some(first) = events.first() else { continue };
        if events.len() == 1 {
            state.set(key, *first);
            continue;
        }
        let [power_levels, join_rules, members] = &mut passes;
        let pass = match facts.event(*first)?.event_type() {
            "m.room.power_levels" => power_levels,
            "m.room.join_rules" => join_rules,
            "m.room.member" => members,
            _ => &mut others,
        };
        pass.insert(key, in_order(facts, events)?);
    }
    for pass in passes {
        let mut winners = Vec::new();
        for (key, events) in pass {
            winners.push((key, last_of_allowed_run(rules, &mut state, key, &events)?));
        }
        for (key, winner) in winners {
            if let Some(winner) = winner {
                state.set(key, winner);
            }
        }
    }
    let mut winners = Vec::new();
    for (key, events) in others {
        for event in events.into_iter().rev() {
            if state.allows_alone(rules, event)? {
                winners.push((key, event));
                break;
            }
        }
    }
    for (key, winner) in winners {
        state.set(key, winner);
    }
    Ok(state.into_decided())
}

/// The first event stands; each next one replaces it as long as it is allowed where its predecessor stands.
///
/// Leaves the state as it was: the other keys of the pass are decided against the same.
fn last_of_allowed_run<S: ResolveStore>(
    rules: &AuthorizationRules,
    state: &mut PartialState<'_, S>,
    key: StateKeyNid,
    events: &[EventNid],
) -> Result<Option<EventNid>, S::Error> {
    let mut standing = None;
    for event in events {
        if standing.is_some() && !state.allows_alone(rules, *event)? {
            break;
        }
        state.set(key, *event);
        standing = Some(*event);
    }
    state.clear(key);
    Ok(standing)
}

fn in_order<S: ResolveStore>(
    facts: &Facts<'_, S>,
    events: BTreeSet<EventNid>,
) -> Result<Vec<EventNid>, S::Error> {
    let mut keyed = Vec::with_capacity(events.len());
    for nid in events {
        let event = facts.event(nid)?;
        let hash: [u8; 20] = Sha1::digest(event.event_id().as_bytes()).into();
        keyed.push((event.depth(), Reverse(hash), nid));
    }
    keyed.sort();
    Ok(keyed.into_iter().map(|(_, _, event)| event).collect())
}
