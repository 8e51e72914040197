//! How commands and replies travel: a text made for little code at both ends, of which there are hundreds of types.
//!
//! The values are those of JSON, and a few bytes of punctuation tell them apart. Structs alone differ: their fields
//! come in order, without names, so that what reads a struct need not look for them.
//!
//! ```text
//! n t f                 null, true, false
//! +12; -12; .1.5;       numbers
//! "5:hello              text, with its length in bytes
//! [...] {key value ...} lists and maps
//! (...)XX               a struct: its fields, `_` for each that is left out, and a mark of their names
//! ```
//!
//! Both ends are the same program but for the seconds of a deployment, in which one of them may be older. The mark is for
//! these: an end that knows other fields refuses the struct.

mod reader;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod writer;

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

use self::{reader::Reader, writer::Writer};

/// The struct as which `serde_json` hands over JSON that is not parsed. It travels as text.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// What can't be written, or is not understood: a pointer, for it is in all the code that reads.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
#[expect(clippy::box_collection, reason = "a third of the size of what it holds")]
pub struct WireError(Box<String>);

impl serde::ser::Error for WireError {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Box::new(message.to_string()))
    }
}

impl serde::de::Error for WireError {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Box::new(message.to_string()))
    }
}

/// The text of `message`.
pub fn to_text<T: Serialize>(message: &T) -> Result<String, WireError> {
    let mut writer = Writer::default();
    message.serialize(&mut writer)?;
    Ok(writer.finish())
}

/// What `text` says. Nothing may follow it.
pub fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, WireError> {
    let mut reader = Reader::new(text);
    let message = T::deserialize(&mut reader)?;
    reader.finish()?;
    Ok(message)
}

/// The mark of a struct's fields, which is enough to tell apart lists that differ.
#[derive(Default, Clone, Copy)]
struct Mark(u16);

impl Mark {
    fn add(&mut self, field: &str) {
        for byte in field.bytes() {
            self.0 = (self.0 ^ u16::from(byte)).wrapping_mul(0x0365).rotate_left(5);
        }
        self.0 = self.0.wrapping_add(1);
    }

    fn of(fields: &[&str]) -> Self {
        let mut mark = Self::default();
        for field in fields {
            mark.add(field);
        }
        mark
    }

    /// Two characters that are their own in UTF-8.
    fn characters(self) -> [u8; 2] {
        [self.0 & 63, (self.0 >> 6) & 63].map(|six| b'0'.wrapping_add(u8::try_from(six).unwrap_or_default()))
    }
}
