//! *Power events* and the *reverse topological power ordering*. [rooms v2, state resolution, definitions]

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use ruma::{MilliSecondsSinceUnixEpoch, OwnedEventId, room_version_rules::AuthorizationRules};

use super::{ResolveStore, facts::Facts};
use crate::{
    auth::{Level, PowerLevel, PowerLevels, RoomCreate},
    event::Pdu,
    nid::EventNid,
};

/// Whether the event might take from someone the ability to do something in the room.
///
/// The create event counts too, as in all implementations: whatever else is to be ordered cites it.
fn is_power_event(event: &Pdu) -> bool {
    match event.event_type() {
        "m.room.power_levels" | "m.room.join_rules" | "m.room.create" => event.state_key() == Some(""),
        "m.room.member" => {
            event.state_key() != Some(event.sender().as_str())
                && matches!(event.content_str("membership").as_deref(), Some("leave" | "ban"))
        }
        _ => false,
    }
}

/// The power events of the full conflicted set, with what they lead to within the set by `auth_events`, in reverse
/// topological power ordering, earliest first.
pub(super) fn ordered_power_events<S: ResolveStore>(
    facts: &Facts<'_, S>,
    rules: &AuthorizationRules,
    full_conflicted_set: &BTreeSet<EventNid>,
    create: Option<&RoomCreate>,
) -> Result<Vec<EventNid>, S::Error> {
    let mut stack = Vec::new();
    for event in full_conflicted_set {
        if is_power_event(&*facts.event(*event)?) {
            stack.push(*event);
        }
    }
    let mut graph: BTreeMap<EventNid, Vec<EventNid>> = BTreeMap::new();
    while let Some(event) = stack.pop() {
        if graph.contains_key(&event) {
            continue;
        }
        let mut within = facts.node(event)?.auth_events.to_vec();
        within.retain(|cited| full_conflicted_set.contains(cited));
        within.sort_unstable();
        within.dedup();
        stack.extend_from_slice(&within);
        graph.insert(event, within);
    }
    let mut places = BTreeMap::new();
    for (nid, cited) in &graph {
        let event = facts.event(*nid)?;
        let rank = Rank {
            power_level: Reverse(sender_power_level(facts, rules, *nid, create)?),
            origin_server_ts: event.origin_server_ts(),
            event_id: event.event_id().to_owned(),
            nid: *nid,
        };
        places.insert(*nid, Place { rank: Some(rank), missing: cited.len(), citers: Vec::new() });
    }
    for (event, cited) in graph {
        for cited in cited {
            if let Some(place) = places.get_mut(&cited) {
                place.citers.push(event);
            }
        }
    }
    Ok(topological_order(places))
}

/// An event's place in the graph of those to be ordered.
struct Place {
    /// `None` once the event may come next.
    rank: Option<Rank>,
    /// How many of the events that it cites were not taken yet.
    missing: usize,
    /// The events that cite it.
    citers: Vec<EventNid>,
}

/// What decides between events that may both come next: the least does.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    power_level: Reverse<PowerLevel>,
    origin_server_ts: MilliSecondsSinceUnixEpoch,
    event_id: OwnedEventId,
    nid: EventNid,
}

/// Kahn's algorithm: of the events all of whose predecessors were taken, always the one of least rank.
fn topological_order(mut places: BTreeMap<EventNid, Place>) -> Vec<EventNid> {
    let mut ready = BinaryHeap::new();
    for place in places.values_mut().filter(|place| place.missing == 0) {
        ready.extend(place.rank.take().map(Reverse));
    }
    let mut order = Vec::with_capacity(places.len());
    while let Some(Reverse(Rank { nid, .. })) = ready.pop() {
        order.push(nid);
        let citers = places.get_mut(&nid).map(|place| std::mem::take(&mut place.citers));
        for citer in citers.unwrap_or_default() {
            let Some(place) = places.get_mut(&citer) else { continue };
            place.missing = place.missing.saturating_sub(1);
            if place.missing == 0 {
                ready.extend(place.rank.take().map(Reverse));
            }
        }
    }
    order
}

/// The power level of the event's sender by the event's own auth events.
///
/// Power levels that cannot be read give 0: they would have to have been allowed first, and resolution must
/// come to an end in any case.
fn sender_power_level<S: ResolveStore>(
    facts: &Facts<'_, S>,
    rules: &AuthorizationRules,
    event: EventNid,
    create: Option<&RoomCreate>,
) -> Result<PowerLevel, S::Error> {
    let power_levels = match facts.power_levels_of(&facts.node(event)?)? {
        Some((power_levels, _)) => Some(facts.event(power_levels)?),
        None => None,
    };
    let event = facts.event(event)?;
    let level = create
        .and_then(|create| PowerLevels::new(rules, create.clone(), power_levels).ok())
        .and_then(|levels| levels.user(event.sender()).ok());
    Ok(level.unwrap_or(PowerLevel::Int(Level::UsersDefault.default())))
}
