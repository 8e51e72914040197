//! From untrusted text to canonical text, in one pass.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "positions within a text that is in memory, and depths below MAX_DEPTH"
)]

use std::borrow::Cow;

use thiserror::Error;

use super::number;

/// How deeply objects and arrays may be nested in an event.
///
/// Below the limit of `serde_json` (127), so that an event still parses when it is wrapped in a response.
pub const MAX_DEPTH: usize = 100;

/// Whether numbers must be integers within ±(2^53 - 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Room versions 6 and later: only integers within ±(2^53 - 1), and no `-0`.
    Strict,
    /// Room versions 1 to 5: any number, written as the servers of that time wrote it.
    Lax,
}

/// Why a text has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CanonicalizeError {
    /// The text is not JSON.
    #[error("invalid JSON at byte {0}")]
    Syntax(usize),
    /// A `\u` escape names half of a surrogate pair.
    #[error("unpaired surrogate at byte {0}")]
    Surrogate(usize),
    /// A key occurs twice in one object.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// A number is not an integer within ±(2^53 - 1).
    #[error("number out of the canonical range at byte {0}")]
    Number(usize),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// The canonical form of a JSON text: keys sorted by code point, shortest escapes, no white space.
///
/// # Errors
///
/// When the text is not JSON, holds a duplicate key, is nested too deeply, or holds a number that `strictness` forbids.
pub fn canonicalize(text: &str, strictness: Strictness) -> Result<String, CanonicalizeError> {
    let mut parser = Parser { text, position: 0, strictness, out: String::with_capacity(text.len()) };
    parser.skip_whitespace();
    parser.value(0)?;
    parser.skip_whitespace();
    if parser.position == text.len() { Ok(parser.out) } else { Err(parser.syntax()) }
}

/// Appends `text` as a JSON string with the shortest escapes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = tail.chars();
        if let Some(c) = chars.next() {
            write_escape(c, out);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn write_escape(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        control => {
            let code = u32::from(control);
            out.push_str("\\u00");
            for digit in [code >> 4, code & 0xf] {
                out.extend(char::from_digit(digit, 16));
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    strictness: Strictness,
    out: String,
}

/// Where one member of an object stands in the output.
struct Member<'a> {
    key: Cow<'a, str>,
    start: usize,
    end: usize,
}

impl<'a> Parser<'a> {
    fn syntax(&self) -> CanonicalizeError {
        CanonicalizeError::Syntax(self.position)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    /// Consumes `byte`, then white space.
    fn expect(&mut self, byte: u8) -> Result<(), CanonicalizeError> {
        if self.peek() != Some(byte) {
            return Err(self.syntax());
        }
        self.position += 1;
        self.skip_whitespace();
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), CanonicalizeError> {
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => {
                let string = self.string()?;
                write_string(&string, &mut self.out);
                Ok(())
            }
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.syntax()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), CanonicalizeError> {
        if depth > MAX_DEPTH {
            return Err(CanonicalizeError::TooDeep);
        }
        self.expect(b'{')?;
        self.out.push('{');
        let start = self.out.len();
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut sorted = true;
        while self.peek() != Some(b'}') {
            if let Some(last) = members.last() {
                self.expect(b',')?;
                self.out.push(',');
                if self.peek() != Some(b'"') {
                    return Err(self.syntax());
                }
                let member = self.member(depth)?;
                sorted &= last.key < member.key;
                members.push(member);
            } else {
                let member = self.member(depth)?;
                members.push(member);
            }
            self.skip_whitespace();
        }
        self.position += 1;
        if !sorted {
            self.sort(start, members)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn member(&mut self, depth: usize) -> Result<Member<'a>, CanonicalizeError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax());
        }
        let start = self.out.len();
        let key = self.string()?;
        write_string(&key, &mut self.out);
        self.skip_whitespace();
        self.expect(b':')?;
        self.out.push(':');
        self.value(depth)?;
        Ok(Member { key, start, end: self.out.len() })
    }

    /// Puts the members that were written from `start` on into the order of their keys.
    fn sort(&mut self, start: usize, mut members: Vec<Member<'a>>) -> Result<(), CanonicalizeError> {
        members.sort_by(|a, b| a.key.cmp(&b.key));
        for pair in members.windows(2) {
            if let [a, b] = pair
                && a.key == b.key
            {
                return Err(CanonicalizeError::DuplicateKey(a.key.clone().into_owned()));
            }
        }
        let written = self.out.split_off(start);
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.out.push_str(written.get(member.start - start..member.end - start).unwrap_or_default());
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), CanonicalizeError> {
        if depth > MAX_DEPTH {
            return Err(CanonicalizeError::TooDeep);
        }
        self.expect(b'[')?;
        self.out.push('[');
        let mut first = true;
        while self.peek() != Some(b']') {
            if !first {
                self.expect(b',')?;
                self.out.push(',');
            }
            first = false;
            self.value(depth)?;
            self.skip_whitespace();
        }
        self.position += 1;
        self.out.push(']');
        Ok(())
    }

    fn literal(&mut self, literal: &'static str) -> Result<(), CanonicalizeError> {
        if !self.text.as_bytes().get(self.position..).is_some_and(|rest| rest.starts_with(literal.as_bytes()))
        {
            return Err(self.syntax());
        }
        self.position += literal.len();
        self.out.push_str(literal);
        Ok(())
    }

    fn number(&mut self) -> Result<(), CanonicalizeError> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = number::length(rest).ok_or_else(|| self.syntax())?;
        let token = rest.get(..length).unwrap_or_default();
        match self.strictness {
            Strictness::Strict if number::is_canonical_integer(token) => self.out.push_str(token),
            Strictness::Strict => return Err(CanonicalizeError::Number(self.position)),
            Strictness::Lax => {
                number::write_lax(token, &mut self.out).ok_or(CanonicalizeError::Number(self.position))?;
            }
        }
        self.position += length;
        Ok(())
    }

    /// Reads a string; borrowed if it holds no escape.
    fn string(&mut self) -> Result<Cow<'a, str>, CanonicalizeError> {
        self.position += 1;
        let plain = self.plain_run();
        if self.peek() == Some(b'"') {
            self.position += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut decoded = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(Cow::Owned(decoded));
                }
                Some(b'\\') => {
                    self.position += 1;
                    decoded.push(self.escape()?);
                }
                _ => return Err(self.syntax()),
            }
            decoded.push_str(self.plain_run());
        }
    }

    /// Reads up to the next quote, backslash or control character.
    fn plain_run(&mut self) -> &'a str {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let length = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(rest.len());
        self.position += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Reads an escape, after its backslash.
    fn escape(&mut self) -> Result<char, CanonicalizeError> {
        let kind = self.peek().ok_or_else(|| self.syntax())?;
        self.position += 1;
        Ok(match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => {
                self.position -= 1;
                return Err(self.syntax());
            }
        })
    }

    fn unicode_escape(&mut self) -> Result<char, CanonicalizeError> {
        let at = self.position;
        let first = self.hex4()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !self.text.as_bytes().get(self.position..).is_some_and(|rest| rest.starts_with(b"\\u")) {
                    return Err(CanonicalizeError::Surrogate(at));
                }
                self.position += 2;
                let second = self.hex4()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(CanonicalizeError::Surrogate(at));
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        char::from_u32(code).ok_or(CanonicalizeError::Surrogate(at))
    }

    fn hex4(&mut self) -> Result<u32, CanonicalizeError> {
        let digits =
            self.text.as_bytes().get(self.position..self.position + 4).ok_or_else(|| self.syntax())?;
        let mut code = 0;
        for digit in digits {
            code = code * 16 + char::from(*digit).to_digit(16).ok_or_else(|| self.syntax())?;
        }
        self.position += 4;
        Ok(code)
    }
}
