//! What a `Room` can be asked.

mod federation;
mod summary;

use serde::{Deserialize, Serialize};

pub use self::{federation::*, summary::*};

/// A position in a room's log: the only order that its followers know. 0 is before all entries. Later
/// entries have larger positions, but positions are not dense.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(pub u64);
