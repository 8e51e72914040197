//! The server-server API: one file per module of the specification.

pub mod keys;
pub mod openid;
pub mod pdu;
pub mod query;
pub mod transaction;
