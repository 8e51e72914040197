//! The token of `/sync`: `next_batch`, `since`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::room::LogPosition;
use crate::varint::{self, Reader};

/// How many rooms' positions a token carries at most; more are handed to the `User` beforehand, by
/// [`StoreSeen`](super::user::StoreSeen).
pub const MAX_CARRIED: usize = 200;

/// What tells a layout from the ones that may follow it.
const LAYOUT: u8 = 1;
/// What every token begins with, so that it is told from a position in a room's log.
const PREFIX: char = 's';

/// What a client has seen, as the client keeps it for us.
///
/// It is not secret and not signed: it names positions in the client's own stream only, and what a
/// room shows is decided by the room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncToken {
    /// The chain of syncs that it continues: one for each time a client started from nothing.
    pub chain: u64,
    /// The user's stream up to here.
    pub stream: u64,
    /// Messages to the device up to here, a position of the stream.
    pub to_device: u64,
    /// What is not stored (typing, presence) up to here, in the order of its own.
    pub volatile: u64,
    /// Which rooms the client chose to see, as a hash; 0: all.
    pub selection: u32,
    /// How far it saw those rooms that were in the answer with this token.
    pub seen: Vec<SeenRoom>,
    /// The rooms in which it last saw someone type.
    pub typing: Vec<u32>,
}

/// How far a client has seen one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SeenRoom {
    /// The user's number for the room.
    pub room: u32,
    /// The last position of the room's log that was delivered.
    pub position: LogPosition,
}

impl SyncToken {
    /// The text that the client gets.
    pub fn encode(&self) -> String {
        let mut bytes = vec![LAYOUT];
        let length = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
        for number in [
            self.chain,
            self.stream,
            self.to_device,
            self.volatile,
            u64::from(self.selection),
            length(self.seen.len()),
        ] {
            varint::write(number, &mut bytes);
        }
        for seen in &self.seen {
            varint::write(u64::from(seen.room), &mut bytes);
            varint::write(seen.position.0, &mut bytes);
        }
        for room in &self.typing {
            varint::write(u64::from(*room), &mut bytes);
        }
        let mut text = String::from(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// Reads a token; `None` when it is not one of ours.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let mut reader = Reader::new(bytes.strip_prefix(&[LAYOUT])?);
        let mut token = Self {
            chain: reader.number()?,
            stream: reader.number()?,
            to_device: reader.number()?,
            volatile: reader.number()?,
            selection: reader.small()?,
            ..Self::default()
        };
        for _ in 0..reader.number()? {
            token.seen.push(SeenRoom { room: reader.small()?, position: LogPosition(reader.number()?) });
        }
        while !reader.is_at_end() {
            token.typing.push(reader.small()?);
        }
        let storable = |number: u64| number < 1 << 53;
        let sound = storable(token.chain)
            && storable(token.stream)
            && storable(token.to_device)
            && storable(token.volatile)
            && token.seen.len() <= MAX_CARRIED
            && token.seen.iter().all(|seen| storable(seen.position.0));
        sound.then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_comes_back_as_it_was(
            chain in 0_u64..1 << 53,
            stream in 0_u64..1 << 53,
            to_device in 0_u64..1 << 53,
            volatile in 0_u64..1 << 53,
            selection: u32,
            seen in prop::collection::vec((any::<u32>(), 0_u64..1 << 53), 0..MAX_CARRIED),
            typing: Vec<u32>,
        ) {
            let seen = seen
                .into_iter()
                .map(|(room, position)| SeenRoom { room, position: LogPosition(position) })
                .collect();
            let token = SyncToken { chain, stream, to_device, volatile, selection, seen, typing };
            prop_assert_eq!(SyncToken::decode(&token.encode()), Some(token));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            SyncToken::decode(&text);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            SyncToken::decode(&format!("s{}", URL_SAFE_NO_PAD.encode(bytes)));
        }
    }
}
