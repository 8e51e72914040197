//! Matrix itself, pure: no I/O, no clock, no platform.

pub mod auth;
pub mod event;
pub mod json;
pub mod nid;
pub mod state_res;
pub mod state_tree;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
