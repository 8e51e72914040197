//! The account endpoints, as a client sees them.

mod accounts;
mod admin;
mod devices;
mod management;
mod user_data;
