//! The client-server API: one file per module of the specification.

pub mod account;
pub mod account_data;
pub mod capabilities;
pub mod device;
pub mod filter;
pub mod moderation;
pub mod profile;
pub mod push_rules;
pub mod registration;
pub mod session;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
