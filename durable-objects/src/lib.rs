//! The actors of Selvedge: engines over a small [`Database`](database::Database) and
//! [`Platform`](platform::Platform), and the Durable Object classes that hold them.
//!
//! Each actor's behaviour is an [`Engine`](engine::Engine); callers know only [`rpc`].

pub mod address;
pub mod concurrent;
pub mod config;
pub mod crypto;
pub mod database;
pub mod directory;
pub mod engine;
#[cfg(all(feature = "faults", target_arch = "wasm32"))]
pub mod faults;
pub mod federation;
mod full_text;
pub mod ledger;
pub mod log;
pub mod matrix_error;
pub mod media_index;
pub mod media_object;
mod migrations;
pub mod platform;
pub mod rate_limit;
pub mod remote_server;
pub mod room;
pub mod rpc;
#[cfg(target_arch = "wasm32")]
pub mod shell;
pub mod signing;
pub mod sorted;
#[cfg(all(not(target_arch = "wasm32"), any(test, feature = "testing")))]
#[expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "only tests use it"
)]
pub mod testing;
pub mod user;
pub mod user_token;
mod varint;
