//! What a [`User`](crate::user) can be asked, by concern.

mod account;
mod account_data;
mod device;
mod filter;
mod profile;
mod push_rules;
mod sync;

pub use self::{account::*, account_data::*, device::*, filter::*, profile::*, push_rules::*, sync::*};
