//! What a [`User`](crate::user) can be asked, by concern.

mod account;

pub use account::*;
