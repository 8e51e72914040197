//! A tokenizer for HTML as it is found: it never fails, and takes time in proportion to the page. It knows tags,
//! attributes, comments and the elements that hold no markup; what nests in what it does not know.

use super::entity;

/// How many attributes of a tag are kept.
const MAX_ATTRIBUTES: usize = 40;
/// Elements whose content is text up to their end tag.
const RAW: [&str; 9] =
    ["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "template"];

/// A piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A start tag.
    Start(Tag),
    /// An end tag's name, in lower case.
    End(String),
    /// Text, with its character references resolved.
    Text(String),
    /// Text that is not for people: of a script or a style sheet.
    Raw,
}

/// A start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// In lower case.
    pub name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The value of an attribute, trimmed, unless it is empty.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(known, _)| known == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }
}

/// Takes a page apart.
pub struct Tokenizer<'p> {
    rest: &'p str,
    /// The element that holds no markup, and that the rest begins in.
    raw: Option<&'static str>,
}

impl<'p> Tokenizer<'p> {
    /// At the beginning of a page.
    pub fn new(page: &'p str) -> Self {
        Self { rest: page, raw: None }
    }

    /// Takes the text up to the first byte that `ends` is true of.
    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'p str {
        let (taken, rest) = self
            .rest
            .split_at_checked(self.rest.find(ends).unwrap_or(self.rest.len()))
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Goes on after `end`, or at the end of the page.
    fn skip_past(&mut self, end: &str) {
        self.rest = self.rest.split_once(end).map_or("", |(_, rest)| rest);
    }

    /// The text of an element that holds no markup.
    fn raw_text(&mut self, element: &str) -> Token {
        let ends = |at: &usize| {
            let name = self.rest.get(at.saturating_add(2)..).and_then(|rest| rest.get(..element.len()));
            name.is_some_and(|name| name.eq_ignore_ascii_case(element))
        };
        let end = self.rest.match_indices("</").map(|(at, _)| at).find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        match element {
            "title" | "textarea" => Token::Text(entity::decode(text)),
            _ => Token::Raw,
        }
    }

    /// What begins with `<`; `None` for what is skipped.
    fn markup(&mut self) -> Option<Token> {
        let begins = |prefix: &str| self.rest.strip_prefix(prefix);
        let is_name = |rest: &str| rest.starts_with(|first: char| first.is_ascii_alphabetic());
        if let Some(comment) = begins("<!--") {
            // `<!-->` is a whole comment.
            self.rest = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->")).unwrap_or(comment);
            if self.rest.len() == comment.len() {
                self.skip_past("-->");
            }
            return None;
        }
        if let Some(rest) = begins("</").filter(|rest| is_name(rest)) {
            self.rest = rest;
            let name = self.take_until(ends_name).to_ascii_lowercase();
            self.skip_past(">");
            return Some(Token::End(name));
        }
        if ["<!", "<?", "</"].iter().any(|prefix| self.rest.starts_with(prefix)) {
            self.skip_past(">");
            return None;
        }
        let rest = begins("<").unwrap_or_default();
        let is_tag = is_name(rest);
        self.rest = rest;
        if !is_tag {
            return Some(Token::Text("<".to_owned()));
        }
        let name = self.take_until(ends_name).to_ascii_lowercase();
        let attributes = self.attributes()?;
        self.raw = RAW.into_iter().find(|raw| *raw == name);
        Some(Token::Start(Tag { name, attributes }))
    }

    /// Attributes up to `>`; `None` when the page ends before.
    fn attributes(&mut self) -> Option<Vec<(String, String)>> {
        let mut attributes = Vec::new();
        loop {
            self.take_until(|character| !character.is_ascii_whitespace() && character != '/');
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                return Some(attributes);
            }
            // A name may begin with `=`.
            let begins = self.rest.chars().next()?;
            self.rest = self.rest.get(begins.len_utf8()..)?;
            let name =
                format!("{begins}{}", self.take_until(|character| ends_name(character) || character == '='));
            let value = self.value();
            if attributes.len() < MAX_ATTRIBUTES {
                attributes.push((name.to_ascii_lowercase(), value));
            }
        }
    }

    /// The value of an attribute, if one follows.
    fn value(&mut self) -> String {
        let Some(rest) = self.rest.trim_ascii_start().strip_prefix('=') else { return String::new() };
        self.rest = rest.trim_ascii_start();
        for quote in ['"', '\''] {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                self.rest = rest;
                let value = self.take_until(|character| character == quote);
                self.rest = self.rest.strip_prefix(quote).unwrap_or_default();
                return entity::decode(value);
            }
        }
        entity::decode(self.take_until(|character| character.is_ascii_whitespace() || character == '>'))
    }
}

fn ends_name(character: char) -> bool {
    character.is_ascii_whitespace() || character == '/' || character == '>'
}

impl Iterator for Tokenizer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        while !self.rest.is_empty() {
            if let Some(element) = self.raw.take() {
                return Some(self.raw_text(element));
            }
            if !self.rest.starts_with('<') {
                return Some(Token::Text(entity::decode(self.take_until(|character| character == '<'))));
            }
            if let Some(token) = self.markup() {
                return Some(token);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Token, Tokenizer};

    fn text(page: &str) -> String {
        let text = |token| match token {
            Token::Start(tag) => format!("<{}>", tag.name),
            Token::End(name) => format!("</{name}>"),
            Token::Text(text) => text,
            Token::Raw => "~".to_owned(),
        };
        Tokenizer::new(page).map(text).collect()
    }

    fn attribute(page: &str, name: &str) -> Option<String> {
        Tokenizer::new(page).find_map(|token| match token {
            Token::Start(tag) => Some(tag.attribute(name)?.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn tags_and_text_are_told_apart() {
        assert_eq!(text("<!DOCTYPE html><P class=x>a &lt; b<BR/>c</p >d"), "<p>a < b<br>c</p>d");
        assert_eq!(text("1 < 2 <3"), "1 < 2 <3");
    }

    #[test]
    fn comments_scripts_and_instructions_are_no_text() {
        assert_eq!(
            text("a<!-- <b> -->c<!-->d<?xml x?>e<script>if (a<b) '</b>'</SCRIPT>f"),
            "acde<script>~</script>f"
        );
        assert_eq!(text("<title>a <b> &amp; c</title>"), "<title>a <b> & c</title>");
        assert_eq!(text("a<!-- never ends"), "a");
        assert_eq!(text("<style>never ends"), "<style>~");
    }

    #[test]
    fn attributes_come_in_all_forms() {
        let page = r#"<a one="1 &amp; >" two='"' three=3 four five = 5 SIX=""/ seven/>"#;
        for (name, value) in [("one", "1 & >"), ("two", "\""), ("three", "3"), ("five", "5")] {
            assert_eq!(attribute(page, name).as_deref(), Some(value));
        }
        for name in ["four", "six", "seven", "eight"] {
            assert_eq!(attribute(page, name), None);
        }
        assert_eq!(attribute("<a href=\"x", "href"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart(page in r#"[<>/!\-a-c ='"&;#ü]{0,200}"#) {
            for _ in Tokenizer::new(&page) {}
        }
    }
}
