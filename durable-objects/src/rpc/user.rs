//! What a [`User`](crate::user) can be asked, by concern.

mod account;
mod device;
mod sync;

pub use self::{account::*, device::*, sync::*};
