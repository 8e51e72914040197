//! Administration, by the paths and forms of Synapse's admin API, so that its tools work here.

pub mod register;
pub mod registration_tokens;
