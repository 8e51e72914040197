//! What a `Room` can be asked.
