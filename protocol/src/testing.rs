//! Rooms in memory, for the tests and benches of this crate and of those above it.

mod nodes;

pub use nodes::MemoryNodes;
