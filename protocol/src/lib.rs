//! Matrix itself, pure: no I/O, no clock, no platform.

pub mod auth;
pub mod event;
pub mod json;
pub mod nid;
pub mod policy_server;
pub mod push;
pub mod relations;
pub mod room_creation;
pub mod room_version;
pub mod server_acl;
pub mod signing;
pub mod state_res;
pub mod state_tree;
pub mod stripped_state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod visibility;
