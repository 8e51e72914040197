//! The edge: stateless. A request is routed, authenticated, handed to actors, and answered.
//!
//! Everything but `event.rs`, which speaks with the platform, also compiles natively.

#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "natively only tests run the edge"))]

mod admin;
mod answer;
mod body;
mod client;
mod context;
mod discovery;
mod error;
#[cfg(target_arch = "wasm32")]
mod event;
mod extract;
#[cfg(all(feature = "faults", target_arch = "wasm32"))]
mod faults;
mod federation;
mod media;
mod metrics;
#[cfg(any(target_arch = "wasm32", test))]
mod peer;
mod router;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod testing;
mod throttle;
mod uiaa;

#[cfg(target_arch = "wasm32")]
pub use event::fetch;
#[cfg(target_arch = "wasm32")]
pub use selvedge_durable_objects::shell::{Directory, MediaIndex, RemoteServer, Room, User};
