//! Rooms in memory, for the tests and benches of this crate and of those above it.

mod nodes;
mod room;

pub use nodes::MemoryNodes;
pub use room::{EventDraft, MemoryError, MemoryRoom};
