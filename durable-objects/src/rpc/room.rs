//! What a `Room` can be asked.

mod alias;
mod creation;
mod dag;
mod device_list;
mod ephemeral;
mod federation;
mod handshake;
mod history;
mod import;
mod inbound;
mod media;
mod membership;
mod notifications;
mod presence;
mod reader;
mod relations;
mod report;
mod search;
mod send;
mod space;
mod state;
mod summary;
mod sync;
mod timeline;
mod upgrade;
mod user_directory;

use serde::{Deserialize, Serialize};

pub use self::{
    alias::*, creation::*, dag::*, device_list::*, ephemeral::*, federation::*, handshake::*, history::*,
    import::*, inbound::*, media::*, membership::*, notifications::*, presence::*, reader::*, relations::*,
    report::*, search::*, send::*, space::*, state::*, summary::*, sync::*, timeline::*, upgrade::*,
    user_directory::*,
};

/// A position in a room's log: the only order that its followers know. 0 is before all entries. Later
/// entries have larger positions, but positions are not dense.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(pub u64);

impl LogPosition {
    /// After all entries of any log.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The token by which clients page through the timeline from just after this position, or backwards
    /// from this position on: `prev_batch`, `from`, `to`, `start`, `end`, `at`.
    pub fn token(self) -> String {
        format!("t{}", self.0)
    }

    /// Reads a token; `None` when it is not one of these.
    pub fn from_token(token: &str) -> Option<Self> {
        let digits = token.strip_prefix('t')?;
        let position = digits.parse().ok().filter(|position| *position < 1 << 53)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(Self(position))
    }
}
