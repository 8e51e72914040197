//! What a [`User`](crate::user) can be asked, by concern.

mod account;
mod account_data;
mod backup;
mod dehydrated_device;
mod device;
mod e2ee;
mod filter;
mod invitation;
mod media;
mod notice_room;
mod presence;
mod profile;
mod push_rules;
mod pusher;
mod reading;
mod sync;

pub use self::{
    account::*, account_data::*, backup::*, dehydrated_device::*, device::*, e2ee::*, filter::*,
    invitation::*, media::*, notice_room::*, presence::*, profile::*, push_rules::*, pusher::*, reading::*,
    sync::*,
};
