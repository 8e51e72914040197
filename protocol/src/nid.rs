//! The small integers by which a room knows its events and its state keys.
//!
//! Both are handed out by the room's store, densely and from 1, and mean nothing outside that room. They are 32 bits
//! wide: a room's database is full long before its four-billionth event.

/// An event of one room, by the integer that the room's store gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventNid(pub u32);

/// A `(type, state_key)` pair of one room, interned by the room's store.
///
/// The smaller and denser these are, the smaller the state trees: a store hands them out in order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKeyNid(pub u32);
