//! End-to-end encryption: what the server keeps and hands on for clients that encrypt `[C-S §11.14, §11.15]`.

mod backup;
mod claim;
mod cross_signing;
mod dehydrated_device;
mod device_keys;
mod device_list;
mod introduction;
mod one_time_key;
mod signatures;
mod signed;
mod sync;
mod to_device;

pub(super) use self::{
    device_list::DeviceListNews,
    sync::{device_lists_section, fallback_key_section, one_time_key_section, to_device_section},
    to_device::Inbox,
};

/// The longest device id, key id or message id that is taken from outside, in bytes.
const MAX_ID: usize = 255;
