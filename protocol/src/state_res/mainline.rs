//! The *mainline ordering*. [rooms v2, state resolution, definitions]

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use super::{ResolveStore, facts::Facts};
use crate::nid::EventNid;

/// The mainline position of events that no power levels event of the mainline authorises: after all others.
const INFINITY: usize = usize::MAX;

/// Orders the events by the mainline of the given power levels event, earliest first.
pub(super) fn mainline_ordering<S: ResolveStore>(
    facts: &Facts<'_, S>,
    events: &BTreeSet<EventNid>,
    power_levels: Option<EventNid>,
) -> Result<Vec<EventNid>, S::Error> {
    let mut mainline = Mainline { facts, positions: HashMap::new(), next: power_levels };
    let mut keyed = Vec::with_capacity(events.len());
    for nid in events {
        let event = facts.event(*nid)?;
        let key = (Reverse(mainline.position(*nid)?), event.origin_server_ts(), event.event_id().to_owned());
        keyed.push((key, *nid));
    }
    keyed.sort();
    Ok(keyed.into_iter().map(|(_, event)| event).collect())
}

/// The mainline of a power levels event, followed back as far as was asked.
struct Mainline<'a, S: ResolveStore> {
    facts: &'a Facts<'a, S>,
    /// The position of each event of the mainline that was met.
    positions: HashMap<EventNid, usize>,
    /// The first that was not.
    next: Option<EventNid>,
}

impl<S: ResolveStore> Mainline<'_, S> {
    /// The mainline position of an event.
    fn position(&mut self, event: EventNid) -> Result<usize, S::Error> {
        let mut node = self.facts.node(event)?;
        while let Some((power_levels, its_node)) = self.facts.power_levels_of(&node)? {
            if let Some(position) = self.position_of(power_levels, its_node.generation)? {
                return Ok(position);
            }
            node = its_node;
        }
        Ok(INFINITY)
    }

    /// The position in the mainline of a power levels event of this generation.
    ///
    /// Generations descend along the mainline, so it is not followed further back than to this one.
    fn position_of(&mut self, power_levels: EventNid, generation: u32) -> Result<Option<usize>, S::Error> {
        while let Some(next) = self.next {
            let node = self.facts.node(next)?;
            if node.generation < generation {
                break;
            }
            self.positions.insert(next, self.positions.len());
            self.next = self.facts.power_levels_of(&node)?.map(|(event, _)| event);
        }
        Ok(self.positions.get(&power_levels).copied())
    }
}
