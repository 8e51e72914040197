#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod device_list;
pub(crate) mod fixture;
mod import;
mod importing;
mod inbound;
mod local;
mod partial;
mod peer;
mod policy;
mod remote;
mod search;
mod simulation;
mod user_directory;
mod wake;
