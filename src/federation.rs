//! The server-server API: one file per module of the specification.

pub mod devices;
pub mod directory;
pub mod history;
pub mod invite;
pub mod keys;
#[cfg(target_arch = "wasm32")]
pub mod media;
pub mod membership;
pub mod openid;
pub mod pdu;
pub mod query;
pub mod space;
pub mod third_party_invite;
pub mod transaction;

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
