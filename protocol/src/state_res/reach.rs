//! Which events are unconflicted or reached by those that are, without walking from them.

use std::collections::HashMap;

use super::{AuthNode, ResolveStore, conflict::Conflict, facts::Facts};
use crate::nid::{EventNid, StateKeyNid};

/// How many citers are asked for at a time.
const PAGE: usize = 32;

/// How far an entry's own line is followed back before citers are asked for.
const LINE: usize = 8;

/// Answers whether an event is unconflicted, or in the auth chain of one that is. [`super::auth_difference`] has the proof.
pub(super) struct Reach<'a, S: ResolveStore> {
    facts: &'a Facts<'a, S>,
    conflict: &'a Conflict,
    known: HashMap<EventNid, bool>,
}

/// An event whose citers are being looked at.
struct Frame {
    event: EventNid,
    /// Citers found that are neither settled nor visited yet.
    citers: Vec<EventNid>,
    /// Where the next page starts; `None` when all pages were read.
    next: Option<Page>,
}

/// The citers older than `below`, or all.
struct Page {
    below: Option<EventNid>,
}

impl<'a, S: ResolveStore> Reach<'a, S> {
    pub fn new(facts: &'a Facts<'a, S>, conflict: &'a Conflict) -> Self {
        Self { facts, conflict, known: HashMap::new() }
    }

    /// Whether `event` is unconflicted, or in the auth chain of an event that is.
    pub fn is_reached(&mut self, event: EventNid) -> Result<bool, S::Error> {
        if let Some(known) = self.known.get(&event) {
            return Ok(*known);
        }
        if self.settles(event)? {
            return Ok(true);
        }
        let mut path = vec![Frame { event, citers: Vec::new(), next: Some(Page { below: None }) }];
        while let Some(frame) = path.last_mut() {
            if let Some(citer) = frame.citers.pop() {
                // May have been settled since it was found.
                if !self.known.contains_key(&citer) {
                    path.push(Frame { event: citer, citers: Vec::new(), next: Some(Page { below: None }) });
                }
            } else if let Some(page) = frame.next.take() {
                if self.read_page(frame, &page)? {
                    self.known.extend(path.iter().map(|frame| (frame.event, true)));
                    return Ok(true);
                }
            } else {
                self.known.insert(frame.event, false);
                path.pop();
            }
        }
        Ok(false)
    }

    /// Takes in the next citers of the frame's event; true if one of them settles that it is reached.
    fn read_page(&mut self, frame: &mut Frame, page: &Page) -> Result<bool, S::Error> {
        let citers = self.facts.store.auth_citers(frame.event, page.below, PAGE)?;
        if citers.len() >= PAGE {
            frame.next = citers.last().map(|oldest| Page { below: Some(*oldest) });
        }
        for citer in citers {
            let known = self.known.get(&citer).copied();
            if known == Some(true) || known.is_none() && self.settles(citer)? {
                return Ok(true);
            }
            if known.is_none() {
                frame.citers.push(citer);
            }
        }
        Ok(false)
    }

    /// Whether the event is known at once to be reached.
    fn settles(&mut self, event: EventNid) -> Result<bool, S::Error> {
        let is_reached = self.is_on_line(event, &self.facts.node(event)?)?;
        if is_reached {
            self.known.insert(event, true);
        }
        Ok(is_reached)
    }

    /// Whether the unconflicted event for the same key is this one, or comes after it in its own line: a membership or power
    /// levels event has the one that it replaced among its auth events. This settles nearly all cases.
    fn is_on_line(&self, event: EventNid, node: &AuthNode) -> Result<bool, S::Error> {
        let key: StateKeyNid = node.key;
        let Some(current) = self.conflict.unconflicted(self.facts.store, key)? else { return Ok(false) };
        if current == event {
            return Ok(true);
        }
        let mut current = self.facts.node(current)?;
        for _ in 0..LINE {
            if current.generation <= node.generation {
                break;
            }
            match self.facts.auth_event_with_key(&current, key)? {
                Some((before, _)) if before == event => return Ok(true),
                Some((_, before)) => current = before,
                None => break,
            }
        }
        Ok(false)
    }
}
