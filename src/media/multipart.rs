//! `multipart/mixed` of two parts, by which servers hand each other content `[S-S §18]`: what is known of it, and
//! the content itself or the place where it is.

use std::collections::VecDeque;

use memchr::memmem::find;

use super::disposition::{essence, parameters};

/// How large all that comes before the content may be, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The line that ends a header.
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// The body is not of two parts as specified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the multipart body is malformed")]
pub struct Malformed;

/// The boundary in the `Content-Type` of a multipart body; `None` for another type.
pub fn boundary(content_type: &str) -> Option<String> {
    if essence(content_type) != "multipart/mixed" {
        return None;
    }
    let named = parameters(content_type).into_iter().find(|(name, _)| name == "boundary");
    named.map(|(_, value)| value).filter(|value| (1..=70).contains(&value.len()))
}

/// What stands before and after content that is sent with these headers.
pub fn frame(boundary: &str, content_type: &str, content_disposition: &str) -> (String, String) {
    let printable = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let (content_type, disposition) = (printable(content_type), printable(content_disposition));
    let head = format!(
        "--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\n\
        Content-Type: {content_type}\r\nContent-Disposition: {disposition}\r\n\r\n"
    );
    (head, format!("\r\n--{boundary}--\r\n"))
}

/// The header of the second part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartHead {
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// Where the content is instead.
    pub location: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the delimiter of the first part, or of the second.
    Before { first: bool },
    /// In the header of the first part, or of the second.
    Head { first: bool },
    /// In the content.
    Content,
    /// After it.
    End,
}

/// Reads a body chunk by chunk, and holds no more of the content than a delimiter's length.
pub struct Scanner {
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    state: State,
    head: Option<PartHead>,
    content: VecDeque<Vec<u8>>,
}

impl Scanner {
    /// For a body with this boundary.
    pub fn new(boundary: &str) -> Self {
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The delimiter's line break is optional at the very start.
            buffer: b"\r\n".to_vec(),
            state: State::Before { first: true },
            head: None,
            content: VecDeque::new(),
        }
    }

    /// Takes in the next chunk.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        if self.state == State::End {
            return Ok(());
        }
        self.buffer.extend_from_slice(chunk);
        while self.step() {}
        let in_head = self.state != State::Content && self.state != State::End;
        if in_head && self.buffer.len() > MAX_HEAD { Err(Malformed) } else { Ok(()) }
    }

    /// The second part's header, once it was read.
    pub fn head(&self) -> Option<&PartHead> {
        self.head.as_ref()
    }

    /// The next bytes of the content that there are.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        self.content.pop_front()
    }

    /// Whether the content is complete.
    pub fn is_complete(&self) -> bool {
        self.state == State::End
    }

    /// Goes on by one state; whether it could.
    fn step(&mut self) -> bool {
        match self.state {
            State::Before { first } => {
                let Some(at) = find(&self.buffer, &self.delimiter) else { return false };
                self.drop_until(at.saturating_add(self.delimiter.len()));
                self.state = State::Head { first };
                true
            }
            State::Head { first } => {
                // The delimiter's own line end stands before the first header, or before the blank line if there is none.
                let Some(at) = find(&self.buffer, BLANK_LINE) else { return false };
                let text = String::from_utf8_lossy(self.buffer.get(..at).unwrap_or_default()).into_owned();
                if first {
                    // The blank line may be the beginning of the next delimiter: its second half stays.
                    self.drop_until(at.saturating_add(2));
                    self.state = State::Before { first: false };
                } else {
                    self.drop_until(at.saturating_add(BLANK_LINE.len()));
                    // An empty content's delimiter begins with the blank line's end.
                    self.head = Some(read_head(&text));
                    self.state = State::Content;
                }
                true
            }
            State::Content => self.step_content(),
            State::End => false,
        }
    }

    fn step_content(&mut self) -> bool {
        if let Some(at) = find(&self.buffer, &self.delimiter) {
            self.buffer.truncate(at);
            self.content.push_back(std::mem::take(&mut self.buffer));
            self.state = State::End;
            return true;
        }
        // What may be the beginning of the delimiter stays.
        let ready = self.buffer.len().saturating_sub(self.delimiter.len());
        if ready > 0 {
            let rest = self.buffer.split_off(ready);
            self.content.push_back(std::mem::replace(&mut self.buffer, rest));
        }
        false
    }

    fn drop_until(&mut self, at: usize) {
        self.buffer = self.buffer.split_off(at.min(self.buffer.len()));
    }
}

fn read_head(text: &str) -> PartHead {
    let mut head = PartHead::default();
    for (name, value) in text.split("\r\n").filter_map(|line| line.split_once(':')) {
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => head.content_type = value,
            "content-disposition" => head.content_disposition = value,
            "location" => head.location = value,
            _ => {}
        }
    }
    head
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Malformed, PartHead, Scanner, boundary, frame};

    fn scan(body: &[u8], piece: usize) -> Result<(PartHead, Vec<u8>, bool), Malformed> {
        let mut scanner = Scanner::new("B");
        let mut content = Vec::new();
        for chunk in body.chunks(piece) {
            scanner.push(chunk)?;
            while let Some(bytes) = scanner.pop() {
                content.extend(bytes);
            }
        }
        Ok((scanner.head().cloned().unwrap_or_default(), content, scanner.is_complete()))
    }

    #[test]
    fn framed_content_comes_back_however_it_is_cut() {
        for content in [&b""[..], b"x", b"\r\n--", b"\r\n--C\r\n\r\n--", b"\r\n\r\n\r\n-", &[0xff; 300]] {
            let (head, tail) = frame("B", "image/png", "inline; filename=a.png");
            let body = [head.as_bytes(), content, tail.as_bytes()].concat();
            for piece in [1, 2, 3, 7, 1000] {
                let (head, read, complete) = scan(&body, piece).unwrap();
                assert_eq!(head.content_type.as_deref(), Some("image/png"));
                assert_eq!(head.content_disposition.as_deref(), Some("inline; filename=a.png"));
                assert_eq!(read, content, "in pieces of {piece}");
                assert!(complete);
            }
        }
    }

    #[test]
    fn the_second_part_may_say_where_the_content_is() {
        let body = b"--B\r\n\r\n{}\r\n--B\r\nLocation: https://cdn.example/x\r\n\r\n\r\n--B--";
        let (head, content, complete) = scan(body, 5).unwrap();
        assert_eq!(head.location.as_deref(), Some("https://cdn.example/x"));
        assert!(content.is_empty() && complete);
    }

    #[test]
    fn content_that_breaks_off_is_not_complete() {
        let (_, _, complete) = scan(b"--B\r\n\r\n{}\r\n--B\r\n\r\nabcdefg", 3).unwrap();
        assert!(!complete);
    }

    #[test]
    fn an_endless_head_is_refused() {
        let body = [&b"--B\r\n\r\n"[..], &vec![b'a'; 70_000]].concat();
        assert_eq!(scan(&body, 1000), Err(Malformed));
    }

    #[test]
    fn the_boundary_is_read_from_the_type() {
        assert_eq!(boundary("multipart/mixed; boundary=\"a b\"").as_deref(), Some("a b"));
        assert_eq!(boundary("Multipart/Mixed;boundary=abc").as_deref(), Some("abc"));
        assert_eq!(boundary("text/plain; boundary=abc"), None);
        assert_eq!(boundary("multipart/mixed"), None);
    }
}
