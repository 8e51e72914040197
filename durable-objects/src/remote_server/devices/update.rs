//! `m.device_list_update` and `m.signing_key_update` of the server `[S-S §10.1, §11]`.
//!
//! Updates of a user form a chain: each names the one before it. One that goes on from what is remembered is applied to
//! it; after a gap all of the user's devices are asked for anew, when they are wanted.

use ruma::{
    DeviceId, UInt, UserId, api::federation::transactions::edu::DeviceListUpdateContent,
    encryption::DeviceKeys, serde::Raw,
};
use serde_json::{Map, Value, json, value::to_raw_value};

use super::cache::Known;
use crate::{matrix_error::MatrixError, remote_server::RemoteServerEngine, rpc::user::UserKeys};

/// How an update stands to what is remembered.
#[derive(Debug, PartialEq, Eq)]
enum Succession {
    /// It is in it.
    Contained,
    /// It goes on from it.
    Next,
    /// Something between them may be missing.
    Gap,
}

/// `known` is the stream id of what is remembered; 0: none. Servers number their changes in ascending order, and what
/// they answer has all up to the number that they say.
fn succession(known: u64, stream_id: UInt, prev_id: &[UInt]) -> Succession {
    if known == 0 || prev_id.is_empty() || prev_id.iter().any(|id| u64::from(*id) > known) {
        Succession::Gap
    } else if u64::from(stream_id) <= known {
        Succession::Contained
    } else {
        Succession::Next
    }
}

impl RemoteServerEngine {
    /// A device of a user of the server changed. Gives whether that may be news to anyone: a device without keys is
    /// not, if nobody has asked for the user's.
    pub(in crate::remote_server) fn take_device_update(
        &self,
        update: &DeviceListUpdateContent,
    ) -> Result<bool, MatrixError> {
        self.device_news.came(&update.user_id);
        match self.known_keys(&update.user_id)? {
            Known::Nothing => return Ok(update.keys.is_some() || update.deleted == Some(true)),
            Known::Stale => {}
            Known::Right(keys) => self.apply(update, keys)?,
        }
        Ok(true)
    }

    /// Applies an update to keys that were right before it.
    fn apply(&self, update: &DeviceListUpdateContent, mut keys: UserKeys) -> Result<(), MatrixError> {
        let user_id = &update.user_id;
        match succession(keys.stream_id, update.stream_id, &update.prev_id) {
            Succession::Contained => return Ok(()),
            Succession::Gap => return Ok(self.mark_stale(user_id)?),
            Succession::Next => {}
        }
        keys.stream_id = u64::from(update.stream_id);
        let device_id = &update.device_id;
        match &update.keys {
            Some(device) if update.deleted != Some(true) => {
                let name = update.device_display_name.as_deref();
                let Some(device) = named(user_id, device_id, device, name) else {
                    return Ok(self.mark_stale(user_id)?);
                };
                keys.devices.insert(device_id.clone(), device);
            }
            _ => {
                keys.devices.remove(device_id);
            }
        }
        self.update_keys(user_id, &keys)
    }

    /// Keys of a user of the server changed in a way that is not understood, or by an update that has no number.
    pub(in crate::remote_server) fn take_unnumbered_update(
        &self,
        user_id: &UserId,
    ) -> Result<(), MatrixError> {
        self.device_news.came(user_id);
        Ok(self.mark_stale(user_id)?)
    }
}

/// Keys of a device as clients see them, with the device's name; `None` if they are another device's.
pub(super) fn named(
    user_id: &UserId,
    device_id: &DeviceId,
    keys: &Raw<DeviceKeys>,
    name: Option<&str>,
) -> Option<Raw<DeviceKeys>> {
    let mut object: Map<String, Value> = serde_json::from_str(keys.json().get()).ok()?;
    let is = |member: &str, value: &str| object.get(member).and_then(Value::as_str) == Some(value);
    if !is("user_id", user_id.as_str()) || !is("device_id", device_id.as_str()) {
        return None;
    }
    object.remove("unsigned");
    if let Some(name) = name {
        object.insert("unsigned".to_owned(), json!({"device_display_name": name}));
    }
    to_raw_value(&object).ok().map(Raw::from_json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_goes_on_from_what_is_known_if_all_before_it_is() {
        let is = |known, stream_id: u32, prev_id: &[u32], expected| {
            let prev_id: Vec<_> = prev_id.iter().map(|id| UInt::from(*id)).collect();
            assert_eq!(succession(known, stream_id.into(), &prev_id), expected, "{stream_id} after {known}");
        };
        is(5, 7, &[5], Succession::Next);
        is(5, 7, &[3, 4], Succession::Next);
        is(5, 7, &[6], Succession::Gap);
        is(5, 7, &[4, 6], Succession::Gap);
        is(5, 7, &[], Succession::Gap);
        is(5, 5, &[4], Succession::Contained);
        is(5, 2, &[], Succession::Gap);
        is(0, 7, &[5], Succession::Gap);
    }
}
