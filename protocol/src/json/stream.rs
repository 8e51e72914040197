//! Reading a large object as it arrives.

use thiserror::Error;

/// What arrives is not what a [`Splitter`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SplitError {
    /// It is not a JSON object.
    #[error("malformed JSON")]
    Malformed,
    /// A value is longer than allowed.
    #[error("a value is too long")]
    TooLong,
    /// It broke off.
    #[error("the JSON breaks off")]
    Incomplete,
}

/// A part of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A member, whole: its name and the JSON of its value.
    Member(String, String),
    /// An element of one of the arrays that are split: the member's name and the element's JSON.
    Element(&'static str, String),
}

/// Splits a JSON object into its members, and some of these, which are arrays, into their elements, while
/// it arrives: no more than one part, and what has just arrived, is held in memory.
///
/// Finds where parts begin and end, and leaves it to their readers whether they are well-formed.
#[derive(Debug)]
pub struct Splitter {
    arrays: &'static [&'static str],
    max: usize,
    buffer: Vec<u8>,
    /// Where in the buffer the part begins that is being read.
    start: usize,
    /// How much was passed over since the last part.
    skipped: usize,
    scan: Scan,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Start,
    /// Before a key, a comma or the end.
    Member,
    Value(String),
    /// Before an element, a comma or the end of an array.
    Element(&'static str),
    End,
}

/// How far a value was looked at.
#[derive(Debug, Default, Clone, Copy)]
struct Scan {
    length: usize,
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Splitter {
    /// Splits the members named in `arrays` into elements; no part may have more than `max` bytes, nor what is between
    /// two of them.
    pub fn new(arrays: &'static [&'static str], max: usize) -> Self {
        Self {
            arrays,
            max,
            buffer: Vec::new(),
            start: 0,
            skipped: 0,
            scan: Scan::default(),
            place: Place::Start,
        }
    }

    /// Adds what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next part; `None` when more has to arrive first, or at the end.
    ///
    /// # Errors
    ///
    /// When what arrived is not an object, or a part is too long.
    pub fn next_part(&mut self) -> Result<Option<Part>, SplitError> {
        let part = self.read_part()?;
        if part.is_some() {
            self.skipped = 0;
            return Ok(part);
        }
        let waiting = self.buffer.len().saturating_sub(self.start);
        if waiting > self.max || self.skipped > self.max { Err(SplitError::TooLong) } else { Ok(None) }
    }

    fn read_part(&mut self) -> Result<Option<Part>, SplitError> {
        loop {
            let Some(byte) = self.peek() else { return Ok(None) };
            match (std::mem::replace(&mut self.place, Place::Member), byte) {
                (Place::Start, b'{') | (Place::Member, b',') | (Place::Element(_), b']') => self.skip(),
                (Place::Member, b'}') => {
                    self.skip();
                    self.place = Place::End;
                }
                (Place::Member, b'"') => match self.take_key()? {
                    Some(name) => self.place = Place::Value(name),
                    None => return Ok(None),
                },
                (Place::Value(name), b'[') if self.splits(&name).is_some() => {
                    self.skip();
                    self.place = Place::Element(self.splits(&name).unwrap_or_default());
                }
                (Place::Value(name), _) => {
                    if let Some(value) = self.take_value()? {
                        return Ok(Some(Part::Member(name, value)));
                    }
                    self.place = Place::Value(name);
                    return Ok(None);
                }
                (Place::Element(name), b',') => {
                    self.skip();
                    self.place = Place::Element(name);
                }
                (Place::Element(name), _) => {
                    self.place = Place::Element(name);
                    return Ok(self.take_value()?.map(|value| Part::Element(name, value)));
                }
                _ => return Err(SplitError::Malformed),
            }
        }
    }

    /// Nothing more arrives.
    ///
    /// # Errors
    ///
    /// When the object has not ended.
    pub fn finish(self) -> Result<(), SplitError> {
        if matches!(self.place, Place::End) { Ok(()) } else { Err(SplitError::Incomplete) }
    }

    fn splits(&self, name: &str) -> Option<&'static str> {
        self.arrays.iter().copied().find(|array| *array == name)
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.buffer.get(self.start)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.skip();
        }
    }

    fn skip(&mut self) {
        self.start = self.start.saturating_add(1).min(self.buffer.len());
        self.skipped = self.skipped.saturating_add(1);
    }

    /// Takes a key and the colon after it; `None`, and nothing, when they are not all there.
    fn take_key(&mut self) -> Result<Option<String>, SplitError> {
        let start = self.start;
        let Some(key) = self.take_value()? else { return Ok(None) };
        match self.peek() {
            Some(b':') => {
                self.skip();
                serde_json::from_str(&key).map(Some).map_err(|_| SplitError::Malformed)
            }
            Some(_) => Err(SplitError::Malformed),
            None => {
                self.start = start;
                Ok(None)
            }
        }
    }

    /// Takes a value; `None` when it is not all there.
    fn take_value(&mut self) -> Result<Option<String>, SplitError> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let is_all = self.scan.go_on(rest);
        if self.scan.length > self.max {
            return Err(SplitError::TooLong);
        }
        if !is_all {
            return Ok(None);
        }
        let value = rest.get(..self.scan.length).filter(|value| !value.is_empty());
        let value = String::from_utf8(value.ok_or(SplitError::Malformed)?.to_vec());
        self.start = self.start.saturating_add(self.scan.length);
        self.scan = Scan::default();
        value.map(Some).map_err(|_| SplitError::Malformed)
    }
}

impl Scan {
    /// Looks at what follows of the value that `bytes` begins with; whether it has ended.
    fn go_on(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes.get(self.length..).unwrap_or_default() {
            if self.in_string {
                self.length = self.length.saturating_add(1);
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return true;
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                // The end of a number or a literal, which is no part of it.
                b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => return true,
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.length = self.length.saturating_add(1);
                        return true;
                    }
                }
                _ => {}
            }
            self.length = self.length.saturating_add(1);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn split(text: &str, piece: usize) -> Result<Vec<Part>, SplitError> {
        let mut splitter = Splitter::new(&["state", "chain"], 1_000);
        let mut parts = Vec::new();
        for bytes in text.as_bytes().chunks(piece) {
            splitter.push(bytes);
            while let Some(part) = splitter.next_part()? {
                parts.push(part);
            }
        }
        splitter.finish()?;
        Ok(parts)
    }

    fn member(name: &str, value: &str) -> Part {
        Part::Member(name.to_owned(), value.to_owned())
    }

    const ANSWER: &str = r#" {"origin" : "a\"b", "state":[ {"x":["}",1]} , {"é":2},3 ], "n":12,"chain":[],
        "event":{"state":[1]} , "last":true}"#;

    #[test]
    fn arrays_are_split_wherever_what_arrives_is_cut() {
        let expected = vec![
            member("origin", "\"a\\\"b\""),
            Part::Element("state", "{\"x\":[\"}\",1]}".to_owned()),
            Part::Element("state", "{\"é\":2}".to_owned()),
            Part::Element("state", "3".to_owned()),
            member("n", "12"),
            member("event", "{\"state\":[1]}"),
            member("last", "true"),
        ];
        for piece in 1..ANSWER.len() {
            assert_eq!(split(ANSWER, piece).as_ref(), Ok(&expected), "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_object_or_breaks_off_is_an_error() {
        assert_eq!(split("[1]", 1), Err(SplitError::Malformed));
        assert_eq!(split("{\"a\" 1}", 1), Err(SplitError::Malformed));
        assert_eq!(split("{\"a\":}", 9), Err(SplitError::Malformed));
        assert_eq!(split("{\"state\":[1", 1), Err(SplitError::Incomplete));
        assert_eq!(split("", 1), Err(SplitError::Incomplete));
        assert_eq!(split(&format!("{{\"a\":\"{}\"}}", "x".repeat(1_000)), 7), Err(SplitError::TooLong));
    }

    #[test]
    fn what_goes_on_for_ever_without_a_part_is_given_up() {
        let endless = [
            ("{\"state\":[", " "),
            ("{\"state\":[", ","),
            ("{\"a\"", "\n"),
            ("{\"a\":", "\t"),
            ("{", "\"state\":[],"),
            ("{}", "  "),
        ];
        for (start, piece) in endless {
            let mut splitter = Splitter::new(&["state"], 1_000);
            splitter.push(start.as_bytes());
            let pieces = (0..2_000).map(|_| {
                splitter.push(piece.as_bytes());
                splitter.next_part()
            });
            let outcome = pieces.into_iter().find(|outcome| *outcome != Ok(None));
            assert_eq!(outcome, Some(Err(SplitError::TooLong)), "{start}{piece}...");
            assert!(splitter.buffer.len() < 2_000, "{start}{piece}...");
        }
        assert_eq!(split("{} \n x", 1), Err(SplitError::Malformed));
    }

    proptest! {
        #[test]
        fn nothing_that_arrives_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), piece in 1..9_usize) {
            let mut splitter = Splitter::new(&["state"], 40);
            for bytes in bytes.chunks(piece) {
                splitter.push(bytes);
                while let Ok(Some(_)) = splitter.next_part() {}
            }
        }
    }
}
