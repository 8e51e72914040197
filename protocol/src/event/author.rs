//! Who makes events here.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{
    MilliSecondsSinceUnixEpoch, ServerName, room_version_rules::RoomVersionRules, signatures::Ed25519KeyPair,
};

/// What it takes to make an event here and now.
#[derive(Clone, Copy)]
pub struct Author<'a> {
    /// This server.
    pub server: &'a ServerName,
    /// Its signing key.
    pub key: &'a Ed25519KeyPair,
    /// The time.
    pub now: MilliSecondsSinceUnixEpoch,
    /// Random bytes, for the event ids of room versions 1 and 2.
    pub entropy: [u8; 12],
}

impl Author<'_> {
    /// The local part of a new event's id, in room versions that need one made up: `number` is the
    /// event's among those made with the same entropy.
    pub fn opaque_id(&self, rules: &RoomVersionRules, number: u32) -> Option<String> {
        let id = || format!("{}{number}", URL_SAFE_NO_PAD.encode(self.entropy));
        rules.event_format.require_event_id.then(id)
    }
}
