//! Reading what relates to an event `[C-S §8.6.4]`.

use std::rc::Rc;

use ruma::{EventId, OwnedEventId, api::Direction};
use serde_json::value::RawValue;

use super::{
    read_state::raw,
    timeline::{position, render},
};
use crate::{
    database::DatabaseError,
    matrix_error::MatrixError,
    room::{
        RoomEngine,
        store::{Children, RelationRow, StoredEvent},
        view::{ObjectWriter, View},
    },
    rpc::room::{GetRelations, LogPosition},
};

/// How many kinds of relations to one event are looked at.
const MAX_KINDS: u32 = 20;
/// How many rows are read of a kind at a time, at least and at most.
const MIN_BATCH: u32 = 10;
const BATCH: u32 = 100;
/// How often a batch is read for one page.
const MAX_BATCHES: u32 = 20;
/// How far recursion goes.
const MAX_DEPTH: u32 = 3;
/// How many events recursion gathers.
const MAX_GATHERED: usize = 1_000;

/// A part of an event's children, in one direction.
struct Walk {
    direction: Direction,
    /// Children at or before this position are not wanted.
    after: LogPosition,
    /// Nor are those after this one.
    up_to: LogPosition,
}

impl Walk {
    fn of(command: &GetRelations) -> Result<Self, MatrixError> {
        let from = command.from.as_deref().map(position).transpose()?;
        let to = command.to.as_deref().map(position).transpose()?;
        let (after, up_to) = match command.direction {
            Direction::Forward => (from, to),
            Direction::Backward => (to, from),
        };
        Ok(Self {
            direction: command.direction,
            after: after.unwrap_or_default(),
            up_to: up_to.unwrap_or(LogPosition::MAX),
        })
    }

    /// What remains beyond `position`.
    fn advance(&mut self, position: LogPosition) {
        match self.direction {
            Direction::Forward => self.after = position,
            Direction::Backward => self.up_to = LogPosition(position.0.saturating_sub(1)),
        }
    }

    /// Where the next page begins.
    fn reached(&self) -> LogPosition {
        match self.direction {
            Direction::Forward => self.after,
            Direction::Backward => self.up_to,
        }
    }

    fn sort(&self, rows: &mut [RelationRow]) {
        rows.sort_by_key(|row| row.position);
        if self.direction == Direction::Backward {
            rows.reverse();
        }
    }
}

impl RoomEngine {
    pub(in crate::room) async fn get_relations(
        self: &Rc<Self>,
        command: GetRelations,
    ) -> Result<Box<RawValue>, MatrixError> {
        self.visible_state(&command.reader.user_id).await?;
        let view = View::new(&self.store, &command.reader, self.runtime.platform.now())?;
        self.shown_event(&view, &command.event_id)?;
        let mut walk = Walk::of(&command)?;
        let begins_at = command.from.is_some().then(|| walk.reached());
        let (events, has_more) = if command.recurse {
            self.gathered_relations(&view, &command, &mut walk)?
        } else {
            self.direct_relations(&view, &command, &mut walk)?
        };
        let mut json = ObjectWriter::new();
        json.array("chunk", render(&view, &events)?);
        if has_more {
            json.string("next_batch", &walk.reached().token());
        }
        if let Some(begins_at) = begins_at {
            json.string("prev_batch", &begins_at.token());
        }
        if command.recurse {
            json.member("recursion_depth", &MAX_DEPTH.to_string());
        }
        raw(json.finish())
    }

    /// The child of a row, if it is wanted.
    fn wanted_child(
        &self,
        view: &View<'_>,
        command: &GetRelations,
        row: &RelationRow,
    ) -> Result<Option<Rc<StoredEvent>>, DatabaseError> {
        let is_wanted = command.event_type.as_ref().is_none_or(|wanted| *wanted == row.event_type)
            && command.rel_type.as_ref().is_none_or(|wanted| *wanted == row.rel_type);
        if !is_wanted {
            return Ok(None);
        }
        let event = self.store.event(row.child)?;
        Ok(view.shows(&event)?.then_some(event))
    }

    /// A page of direct children; whether there are more.
    fn direct_relations(
        &self,
        view: &View<'_>,
        command: &GetRelations,
        walk: &mut Walk,
    ) -> Result<(Vec<Rc<StoredEvent>>, bool), DatabaseError> {
        let kinds = match &command.rel_type {
            Some(rel_type) => vec![rel_type.clone()],
            None => self.store.relation_kinds(&command.event_id, MAX_KINDS)?,
        };
        let mut events = Vec::new();
        for _ in 0..MAX_BATCHES {
            let missing = command.limit.saturating_sub(u32::try_from(events.len()).unwrap_or(u32::MAX));
            // One more, to see whether there are others.
            let size = missing.saturating_add(1).clamp(MIN_BATCH, BATCH);
            let (rows, is_last) = self.next_children(&command.event_id, &kinds, walk, size)?;
            for row in &rows {
                if events.len() >= command.limit as usize {
                    return Ok((events, true));
                }
                walk.advance(row.position);
                events.extend(self.wanted_child(view, command, row)?);
            }
            if is_last {
                return Ok((events, false));
            }
        }
        Ok((events, true))
    }

    /// The next children of all kinds, in order, up to `size` of each; whether these are the last.
    fn next_children(
        &self,
        parent: &EventId,
        kinds: &[String],
        walk: &Walk,
        size: u32,
    ) -> Result<(Vec<RelationRow>, bool), DatabaseError> {
        let is_forward = walk.direction == Direction::Forward;
        let mut rows = Vec::new();
        // Where a kind's batch is full, others may not be read on beyond its end.
        let mut ends = Vec::new();
        for rel_type in kinds {
            let (after, up_to) = (walk.after, walk.up_to);
            let batch =
                self.store.children(&Children { parent, rel_type, after, up_to, is_forward, limit: size })?;
            if batch.len() >= size as usize {
                ends.extend(batch.last().map(|row| row.position));
            }
            rows.extend(batch);
        }
        let end = if is_forward { ends.iter().min() } else { ends.iter().max() };
        if let Some(end) = end {
            rows.retain(|row| if is_forward { row.position <= *end } else { row.position >= *end });
        }
        walk.sort(&mut rows);
        Ok((rows, ends.is_empty()))
    }

    /// A page of children, and of what relates to them; whether there are more.
    fn gathered_relations(
        &self,
        view: &View<'_>,
        command: &GetRelations,
        walk: &mut Walk,
    ) -> Result<(Vec<Rc<StoredEvent>>, bool), DatabaseError> {
        let mut rows = Vec::new();
        let mut parents: Vec<OwnedEventId> = vec![command.event_id.clone()];
        for _ in 0..MAX_DEPTH {
            let mut next = Vec::new();
            for parent in parents {
                for rel_type in self.store.relation_kinds(&parent, MAX_KINDS)? {
                    let rest = MAX_GATHERED.saturating_sub(rows.len());
                    let children = self.store.children(&Children {
                        parent: &parent,
                        rel_type: &rel_type,
                        after: LogPosition(0),
                        up_to: LogPosition::MAX,
                        is_forward: false,
                        limit: u32::try_from(rest).unwrap_or(u32::MAX),
                    })?;
                    for child in children {
                        next.push(self.store.event_id(child.child)?);
                        rows.push(child);
                    }
                }
            }
            parents = next;
        }
        rows.retain(|row| row.position > walk.after && row.position <= walk.up_to);
        walk.sort(&mut rows);
        let mut events = Vec::new();
        for row in &rows {
            if events.len() >= command.limit as usize {
                return Ok((events, true));
            }
            walk.advance(row.position);
            events.extend(self.wanted_child(view, command, row)?);
        }
        Ok((events, false))
    }
}
