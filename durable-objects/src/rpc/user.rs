//! What a `User` can be asked.
