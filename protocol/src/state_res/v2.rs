//! Versions 2 and 2.1 of the algorithm. [rooms v2 and v12, state resolution, algorithm]

use std::collections::{BTreeMap, BTreeSet};

use ruma::room_version_rules::{AuthorizationRules, StateResolutionV2Rules};

use super::{
    ResolveStore, auth_difference::auth_difference, checks::PartialState, conflict::Conflict, facts::Facts,
    mainline::mainline_ordering, power::ordered_power_events, subgraph::conflicted_subgraph,
};
use crate::{
    auth::RoomCreate,
    nid::{EventNid, StateKeyNid},
};

/// Decides the conflicted keys. What comes out for other keys is for the unconflicted state to overrule.
pub(super) fn decide<S: ResolveStore>(
    facts: &Facts<'_, S>,
    rules: &AuthorizationRules,
    v2_rules: StateResolutionV2Rules,
    conflict: &Conflict,
) -> Result<BTreeMap<StateKeyNid, EventNid>, S::Error> {
    let full_conflicted_set = full_conflicted_set(facts, v2_rules, conflict)?;
    let create = match facts.create_key {
        Some(key) => conflict.unconflicted(facts.store, key)?,
        None => None,
    };
    let room_create = create.map(|create| facts.event(create)).transpose()?.map(RoomCreate::new);

    // 1. Power events, and what they rest on, in reverse topological power ordering.
    let power_events = ordered_power_events(facts, rules, &full_conflicted_set, room_create.as_ref())?;

    // 2. The first pass, from the unconflicted state; since version 2.1 from the empty state.
    let from_empty = v2_rules.begin_iterative_auth_checks_with_empty_state_map;
    let mut state = PartialState::new(facts, (!from_empty).then_some(conflict));
    state.apply_allowed(rules, &power_events, create)?;

    // 3. The other events by the mainline of the power levels that came out.
    let ordered: BTreeSet<EventNid> = power_events.into_iter().collect();
    let remaining = full_conflicted_set.difference(&ordered).copied().collect();
    let power_levels = match facts.power_levels_key {
        Some(key) => state.get(key)?,
        None => None,
    };
    let remaining = mainline_ordering(facts, &remaining, power_levels)?;

    // 4. The second pass. Step 5, in which the unconflicted state has the last word, is the caller's.
    state.apply_allowed(rules, &remaining, create)?;
    Ok(state.into_decided())
}

/// The conflicted state set with the auth difference, and since version 2.1 with the conflicted state subgraph.
fn full_conflicted_set<S: ResolveStore>(
    facts: &Facts<'_, S>,
    v2_rules: StateResolutionV2Rules,
    conflict: &Conflict,
) -> Result<BTreeSet<EventNid>, S::Error> {
    let mut set = conflict.events();
    let subgraph = if v2_rules.consider_conflicted_state_subgraph {
        conflicted_subgraph(facts, &set)?
    } else {
        BTreeSet::new()
    };
    set.extend(auth_difference(facts, conflict)?);
    set.extend(subgraph);
    Ok(set)
}
