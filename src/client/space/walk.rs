//! The walk through a space: depth first, each room once.
//!
//! Nothing of it is kept between pages but what the token says: the spaces on the way to the next room, and which rooms
//! were looked at. A page looks at the former again, and goes on.

use std::rc::Rc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{
    OwnedRoomId, OwnedServerName, RoomId, api::client::space::SpaceHierarchyRoomsChunk,
    events::space::child::HierarchySpaceChildEvent, room::RoomType, serde::Raw,
};
use selvedge_durable_objects::{
    concurrent::{ALL, try_each},
    matrix_error::MatrixError,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::look::{Looked, Looker, Told};

/// How many rooms a walk looks at.
const MAX_ROOMS: usize = 1_000;
/// How many rooms are looked at at a time.
const CONCURRENCY: usize = 10;

/// What stands for a room in a token.
type Mark = [u8; 4];

/// A walk for one user.
pub struct Walk<'c> {
    looker: Looker<'c>,
    max_depth: usize,
    /// Rooms that were looked at.
    seen: Vec<Mark>,
    /// Rooms to look at, the next one last: children of the spaces on the way to it.
    steps: Vec<Step>,
    /// What was found of rooms to come.
    ahead: Vec<(OwnedRoomId, Option<Looked>)>,
    told: Told,
}

/// A room to look at.
struct Step {
    room_id: OwnedRoomId,
    via: Vec<OwnedServerName>,
    /// The space that it is in.
    parent: Option<Rc<Space>>,
}

/// A space on the way.
struct Space {
    room_id: OwnedRoomId,
    parent: Option<Rc<Space>>,
    depth: usize,
}

impl<'c> Walk<'c> {
    /// A walk from `space`, at depth 0, that goes `max_depth` deep.
    pub fn new(looker: Looker<'c>, space: &RoomId, max_depth: usize) -> Self {
        let via = space.server_name().map(ToOwned::to_owned).into_iter().collect();
        Self {
            looker,
            max_depth,
            seen: Vec::new(),
            steps: vec![Step { room_id: space.to_owned(), via, parent: None }],
            ahead: Vec::new(),
            told: Told::default(),
        }
    }

    /// The next rooms, at most `count`. `M_FORBIDDEN` when the user may not know of the space.
    pub async fn page(&mut self, count: usize) -> Result<Vec<SpaceHierarchyRoomsChunk>, MatrixError> {
        let mut rooms = Vec::new();
        while rooms.len() < count
            && let Some(step) = self.next_step()
        {
            if !self.is_ahead(&step.room_id) {
                self.look_ahead(&step, count.saturating_sub(rooms.len())).await?;
            }
            self.seen.push(mark(&step.room_id));
            let looked = self.ahead.iter().position(|(room_id, _)| *room_id == step.room_id);
            let Some(looked) = looked.and_then(|at| self.ahead.swap_remove(at).1) else {
                if step.parent.is_none() {
                    return Err(MatrixError::forbidden("You may not know of this room, or there is none"));
                }
                continue;
            };
            self.descend(step, &looked);
            self.told.extend(looked.told);
            rooms.push(SpaceHierarchyRoomsChunk::new(looked.summary, looked.children));
        }
        Ok(rooms)
    }

    /// The next room that was not looked at.
    fn next_step(&mut self) -> Option<Step> {
        if self.seen.len() >= MAX_ROOMS {
            return None;
        }
        loop {
            let step = self.steps.pop()?;
            if !self.seen.contains(&mark(&step.room_id)) {
                return Some(step);
            }
        }
    }

    fn is_ahead(&self, room_id: &RoomId) -> bool {
        self.ahead.iter().any(|(of, _)| of == room_id)
    }

    /// Looks at a room, and at those that come next if it has no children.
    async fn look_ahead(&mut self, step: &Step, count: usize) -> Result<(), MatrixError> {
        let mut next: Vec<&Step> = Vec::new();
        for step in std::iter::once(step).chain(self.steps.iter().rev()) {
            if next.len() >= count.min(CONCURRENCY) {
                break;
            }
            let is_known = self.is_ahead(&step.room_id) || self.seen.contains(&mark(&step.room_id));
            if !is_known && !next.iter().any(|other| other.room_id == step.room_id) {
                next.push(step);
            }
        }
        let looked =
            try_each(ALL, &next, |step| self.looker.look(&step.room_id, &step.via, &self.told)).await?;
        let looked: Vec<_> = next.iter().map(|step| step.room_id.clone()).zip(looked).collect();
        self.ahead.extend(looked);
        Ok(())
    }

    /// Takes the children of a space as the next steps.
    fn descend(&mut self, step: Step, looked: &Looked) {
        let depth = step.parent.as_ref().map_or(0, |parent| parent.depth.saturating_add(1));
        if depth >= self.max_depth || looked.summary.room_type != Some(RoomType::Space) {
            return;
        }
        let space = Rc::new(Space { room_id: step.room_id, parent: step.parent, depth });
        self.steps.extend(looked.children.iter().rev().filter_map(|child| next_step(child, &space)));
    }

    /// Where the next page begins; `None` when there is none.
    pub fn token(&mut self) -> Option<String> {
        let next = self.next_step()?;
        let mut way = Vec::new();
        let mut space = next.parent.as_ref();
        while let Some(of) = space {
            way.push(of.room_id.to_string());
            space = of.parent.as_ref();
        }
        way.reverse();
        let seen: Vec<u8> = self.seen.iter().flatten().copied().collect();
        Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(way.join(" ")), URL_SAFE_NO_PAD.encode(seen)))
    }

    /// Goes where a token points. `None` when it is not one of a walk through this space.
    pub async fn resume(&mut self, token: &str) -> Result<Option<()>, MatrixError> {
        let Some((way, seen)) = read_token(token) else { return Ok(None) };
        let mut way = way.iter();
        let Some(mut step) = self.steps.pop().filter(|step| Some(&step.room_id) == way.next()) else {
            return Ok(None);
        };
        loop {
            let Some(looked) = self.looker.look(&step.room_id, &step.via, &self.told).await? else { break };
            let known = self.steps.len();
            self.descend(step, &looked);
            self.told.extend(looked.told);
            let Some(next) = way.next() else { break };
            let children = self.steps.get(known..).unwrap_or_default();
            let Some(index) = children.iter().position(|child| child.room_id == *next) else { break };
            step = self.steps.remove(known.saturating_add(index));
        }
        self.seen = seen;
        Ok(Some(()))
    }
}

fn read_token(token: &str) -> Option<(Vec<OwnedRoomId>, Vec<Mark>)> {
    let (way, seen) = token.split_once('.')?;
    let way = String::from_utf8(URL_SAFE_NO_PAD.decode(way).ok()?).ok()?;
    let way = way.split(' ').map(OwnedRoomId::try_from).collect::<Result<_, _>>().ok()?;
    let seen = URL_SAFE_NO_PAD.decode(seen).ok()?;
    let marks = seen.chunks_exact(size_of::<Mark>()).filter_map(|mark| mark.try_into().ok());
    Some((way, marks.collect()))
}

fn mark(room_id: &RoomId) -> Mark {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(room_id.as_bytes()));
    [a, b, c, d]
}

fn next_step(child: &Raw<HierarchySpaceChildEvent>, space: &Rc<Space>) -> Option<Step> {
    #[derive(Deserialize)]
    struct Child {
        state_key: OwnedRoomId,
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        via: Vec<OwnedServerName>,
    }
    let child: Child = serde_json::from_str(child.json().get()).ok()?;
    Some(Step { room_id: child.state_key, via: child.content.via, parent: Some(Rc::clone(space)) })
}
