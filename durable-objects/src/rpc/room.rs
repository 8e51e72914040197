//! What a `Room` can be asked.

mod summary;

pub use self::summary::*;
