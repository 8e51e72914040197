//! Reading canonical text in place.
#![expect(clippy::arithmetic_side_effects, reason = "positions within a text that is in memory")]

use std::borrow::Cow;

use thiserror::Error;

use super::canonical::{Strictness, canonicalize};

/// The text is not what it was read as: not an object, not an array, or not JSON at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("malformed JSON")]
pub struct Malformed;

/// A JSON value within a canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

/// A key within a canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a>(&'a str);

/// The members of an object within a canonical text, in their order. The default is the empty object.
#[derive(Debug, Clone, Copy, Default)]
pub struct Object<'a> {
    rest: &'a str,
}

/// The elements of an array within a canonical text.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    rest: &'a str,
}

impl<'a> Value<'a> {
    /// The value with this canonical text.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The canonical text of the value.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// The string, if the value is one.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        self.0.starts_with('"').then(|| decode(self.0)).flatten()
    }

    /// The string, if the value is one that is written without escapes.
    pub fn as_plain_str(self) -> Option<&'a str> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.contains('\\')).then_some(inner)
    }

    /// The integer, if the value is one that fits.
    pub fn as_integer(self) -> Option<i64> {
        self.0.parse().ok().filter(|_| !self.0.starts_with('+'))
    }

    /// The boolean, if the value is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// Whether the value is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The object, if the value is one.
    pub fn as_object(self) -> Option<Object<'a>> {
        Some(Object { rest: self.0.strip_prefix('{')?.strip_suffix('}')? })
    }

    /// The array, if the value is one.
    pub fn as_array(self) -> Option<Array<'a>> {
        Some(Array { rest: self.0.strip_prefix('[')?.strip_suffix(']')? })
    }
}

impl<'a> Key<'a> {
    /// Whether this is the key `name`.
    pub fn is(self, name: &str) -> bool {
        let plain = self.plain();
        // What is written with escapes is longer than what it stands for.
        if plain.len() <= name.len() {
            plain == name && !name.contains('\\')
        } else {
            plain.contains('\\') && decode(self.0).as_deref() == Some(name)
        }
    }

    /// The key, without its escapes.
    pub fn name(self) -> Cow<'a, str> {
        if self.0.contains('\\') { decode(self.0).unwrap_or_default() } else { Cow::Borrowed(self.plain()) }
    }

    /// The key as it is written, with quotes and escapes.
    pub fn text(self) -> &'a str {
        self.0
    }

    fn plain(self) -> &'a str {
        self.0.get(1..self.0.len() - 1).unwrap_or_default()
    }
}

impl<'a> Object<'a> {
    /// The object with this canonical text.
    ///
    /// # Errors
    ///
    /// When the text is not an object, or when its outermost structure is broken.
    pub fn new(text: &'a str) -> Result<Self, Malformed> {
        let object = Value(text).as_object().ok_or(Malformed)?;
        let mut members = object;
        while !members.rest.is_empty() {
            members.take().ok_or(Malformed)?;
        }
        Ok(object)
    }

    /// The value of the member `name`.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.into_iter().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    fn take(&mut self) -> Option<(Key<'a>, Value<'a>)> {
        let key_length = value_length(self.rest)?;
        let (key, rest) = self.rest.split_at_checked(key_length)?;
        let rest = rest.strip_prefix(':').filter(|_| key.len() >= 2 && key.starts_with('"'))?;
        let (value, rest) = rest.split_at_checked(value_length(rest)?)?;
        self.rest = after_comma(rest)?;
        Some((Key(key), Value(value)))
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Key<'a>, Value<'a>);
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Members<'a> {
        Members(self)
    }
}

/// Iterates over the members of an [`Object`]; ends early where the text is broken.
#[derive(Debug, Clone)]
pub struct Members<'a>(Object<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Key<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take()
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        Elements(self)
    }
}

/// Iterates over the elements of an [`Array`]; ends early where the text is broken.
#[derive(Debug, Clone)]
pub struct Elements<'a>(Array<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = self.0.rest.split_at_checked(value_length(self.0.rest)?)?;
        self.0.rest = after_comma(rest)?;
        Some(Value(value))
    }
}

/// What follows a member or element: nothing, or a comma and the next.
fn after_comma(rest: &str) -> Option<&str> {
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(',').filter(|rest| !rest.is_empty()) }
}

/// The length of the value that `text` starts with; `None` if it never ends or is empty.
fn value_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'"' => string_length(bytes),
        b'{' | b'[' => nested_length(bytes),
        _ => {
            let length =
                bytes.iter().position(|b| matches!(b, b',' | b'}' | b']' | b':')).unwrap_or(bytes.len());
            (length > 0).then_some(length)
        }
    }
}

/// The length of the string that starts the bytes, with its quotes.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut position = 1;
    loop {
        position += memchr::memchr2(b'"', b'\\', bytes.get(position..)?)?;
        if bytes.get(position) == Some(&b'"') {
            return Some(position + 1);
        }
        position += 2;
    }
}

/// The length of the object or array that starts the bytes.
fn nested_length(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut position = 0;
    loop {
        match bytes.get(position)? {
            b'"' => {
                position += string_length(bytes.get(position..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(position + 1);
                }
            }
            _ => {}
        }
        position += 1;
    }
}

/// The string with this canonical text.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('\\') {
        // Rare: an identifier or key with a quote, backslash or control character in it.
        serde_json::from_str(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(text.strip_prefix('"')?.strip_suffix('"')?))
    }
}

impl Value<'_> {
    /// Whether the text is JSON in canonical form, for tests and debug assertions.
    pub fn is_canonical(self) -> bool {
        canonicalize(self.0, Strictness::Lax).is_ok_and(|canonical| canonical == self.0)
    }
}
