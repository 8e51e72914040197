//! The client-server API: one file per module of the specification.

pub mod account;
pub mod account_data;
pub mod backup;
mod canonical_alias;
pub mod capabilities;
pub mod dehydrated_device;
pub mod device;
pub mod directory;
pub mod elsewhere;
pub mod filter;
pub mod invitee;
pub mod keys;
pub mod login_page;
pub mod membership;
mod merge;
pub mod message;
pub mod moderation;
pub mod mutual_rooms;
pub mod notifications;
pub mod peeking;
pub mod presence;
pub mod profile;
pub mod push_rules;
pub mod pusher;
mod reading;
pub mod receipt;
pub mod registration;
pub mod relations;
pub mod report;
pub mod room;
pub mod room_alias;
pub mod search;
pub mod session;
pub mod space;
pub mod state;
pub mod sync;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
mod third_party_invite;
pub mod thirdparty;
pub mod to_device;
pub mod typing;
pub mod user_directory;
