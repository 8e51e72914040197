//! Searching a room's messages `[C-S §11.13]`.

use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Reader, TimelineFilter};
use crate::{command, rpc::as_json};

/// What is searched for, and in which texts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchQuery {
    /// As the user typed it: words, and phrases in double quotes.
    pub term: String,
    /// In which texts; in all when there is none.
    pub keys: Vec<SearchKey>,
}

/// A text of events that is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SearchKey {
    /// The body of an `m.room.message`.
    Body,
    /// The name of an `m.room.name`.
    Name,
    /// The topic of an `m.room.topic`.
    Topic,
}

/// The events of the room that match and that the reader may see: none where the room is encrypted, or not known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchRoom {
    /// Who searches.
    pub reader: Reader,
    /// What for.
    pub query: SearchQuery,
    /// Which events.
    #[serde(with = "as_json")]
    pub filter: TimelineFilter,
    /// Whether those that fit best come first, not the latest.
    pub by_rank: bool,
    /// Where to go on: [`Hit::next`] or [`RoomHits::end`] of the same search.
    pub from: Option<u64>,
    /// How many at most.
    pub limit: u32,
}
command!(SearchRoom to Room -> RoomHits);

/// See [`SearchRoom`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RoomHits {
    /// In their order.
    pub hits: Vec<Hit>,
    /// Where to go on after these; `None` when there are no more.
    pub end: Option<u64>,
    /// About how many there are in all.
    pub count: u64,
    /// The room that this one replaces.
    pub predecessor: Option<OwnedRoomId>,
}

/// An event that matches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hit {
    /// The event.
    pub event_id: OwnedEventId,
    /// Its sender.
    pub sender: OwnedUserId,
    /// Its `origin_server_ts`, milliseconds.
    pub ts: u64,
    /// How well it fits; greater is better.
    pub rank: f64,
    /// Where to go on after it.
    pub next: u64,
}

/// The content of hits. What the reader may no longer see is left out.
#[derive(Debug, Serialize, Deserialize)]
pub struct RenderHits {
    /// Who searches.
    pub reader: Reader,
    /// The search, for the words to highlight.
    pub query: SearchQuery,
    /// The events.
    pub events: Vec<OwnedEventId>,
    /// What of their surroundings is wanted, if anything.
    pub context: Option<HitContext>,
    /// Whether the room's state is wanted.
    pub state: WantedState,
}
command!(RenderHits to Room -> RenderedHits);

/// Which surroundings of each hit are wanted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct HitContext {
    /// How many events before it.
    pub before: u32,
    /// How many after it.
    pub after: u32,
    /// Whether the senders' profiles of then.
    pub profiles: bool,
}

/// How much of a room's state is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WantedState {
    /// Nothing.
    Nothing,
    /// All but the members, of which only the senders of the hits.
    Lazy,
    /// All.
    All,
}

/// See [`RenderHits`].
#[derive(Debug, Serialize, Deserialize)]
pub struct RenderedHits {
    /// The events that are still to be seen.
    pub hits: Vec<RenderedHit>,
    /// Words of theirs that matched.
    pub highlights: Vec<String>,
    /// A JSON array: the state.
    pub state: Option<Box<RawValue>>,
}

/// An event of [`RenderedHits`].
#[derive(Debug, Serialize, Deserialize)]
pub struct RenderedHit {
    /// Its id.
    pub event_id: OwnedEventId,
    /// The event.
    pub event: Box<RawValue>,
    /// Its surroundings.
    pub context: Option<Box<RawValue>>,
}
