//! Matrix itself, pure: no I/O, no clock, no platform.

pub mod auth;
pub mod event;
pub mod json;
