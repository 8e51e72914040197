//! What a [`User`](crate::user) can be asked, by concern.

mod account;
mod device;
mod filter;
mod profile;
mod sync;

pub use self::{account::*, device::*, filter::*, profile::*, sync::*};
