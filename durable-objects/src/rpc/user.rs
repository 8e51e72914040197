//! What a [`User`](crate::user) can be asked, by concern.

mod account;
mod sync;

pub use account::*;
pub use sync::*;
