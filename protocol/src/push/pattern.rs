//! The patterns of push rules: globs, some of which must be words of their own. [C-S §11.13, `event_match`]
//!
//! The time that a match takes is bounded by the length of the pattern times that of the value: users write the
//! patterns, and anyone the values.

/// Whether the whole value is what the pattern describes, in whatever case.
pub fn matches_whole(pattern: &str, value: &str) -> bool {
    let pattern = tokens(pattern);
    let mut at = Positions::new(&pattern);
    at.begin();
    for c in value.chars().flat_map(char::to_lowercase) {
        at.step(c);
    }
    at.is_complete()
}

/// Whether the pattern describes something in the value that begins and ends where a word does, in whatever case.
pub fn matches_words(pattern: &str, value: &str) -> bool {
    finds_words(&tokens(pattern), value)
}

/// Whether the value contains the name as it is, between the beginning and the end of words, in whatever case.
pub fn contains_name(name: &str, value: &str) -> bool {
    let name: Vec<_> = name.chars().flat_map(char::to_lowercase).map(Token::Char).collect();
    finds_words(&name, value)
}

fn finds_words(pattern: &[Token], value: &str) -> bool {
    if pattern.is_empty() {
        return value.is_empty();
    }
    let mut at = Positions::new(pattern);
    let mut last = None;
    for c in value.chars().flat_map(char::to_lowercase) {
        if is_boundary(last, Some(c)) {
            if at.is_complete() {
                return true;
            }
            at.begin();
        }
        at.step(c);
        last = Some(c);
    }
    at.begin();
    at.is_complete()
}

/// Words are of `[A-Za-z0-9_]`; between two such characters there is no boundary.
fn is_boundary(before: Option<char>, after: Option<char>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    !(is_word(before) && is_word(after))
}

#[derive(PartialEq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Any,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let token = |c| match c {
        '?' => Token::One,
        '*' => Token::Any,
        c => Token::Char(c),
    };
    let mut tokens: Vec<_> = pattern.chars().flat_map(char::to_lowercase).map(token).collect();
    tokens.dedup_by(|next, last| *next == Token::Any && *last == Token::Any);
    tokens
}

/// All places in a pattern up to which what was read of the value may have come.
struct Positions<'a> {
    pattern: &'a [Token],
    /// For each token whether it may be the next; the last is for the whole pattern's end.
    reached: Vec<bool>,
}

impl<'a> Positions<'a> {
    fn new(pattern: &'a [Token]) -> Self {
        Self { pattern, reached: vec![false; pattern.len().saturating_add(1)] }
    }

    /// A match may begin here.
    fn begin(&mut self) {
        if let Some(first) = self.reached.first_mut() {
            *first = true;
        }
        self.skip();
    }

    /// Reads one character.
    fn step(&mut self, c: char) {
        let mut carried = false;
        for (token, reached) in self.pattern.iter().zip(&mut self.reached) {
            let was = std::mem::replace(reached, carried || *reached && *token == Token::Any);
            carried = was
                && match token {
                    Token::Char(expected) => *expected == c,
                    Token::One => true,
                    Token::Any => false,
                };
        }
        if let Some(end) = self.reached.last_mut() {
            *end = carried;
        }
        self.skip();
    }

    /// `*` may stand for nothing.
    fn skip(&mut self) {
        let mut carried = false;
        for (index, reached) in self.reached.iter_mut().enumerate() {
            *reached |= carried;
            carried = *reached && self.pattern.get(index) == Some(&Token::Any);
        }
    }

    fn is_complete(&self) -> bool {
        self.reached.last() == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_value_is_matched_by_a_glob() {
        for (pattern, value) in [
            ("a*c", "abbc"),
            ("a?c", "aBc"),
            ("*", ""),
            ("", ""),
            ("**x", "x"),
            ("*.TEST", "a.b.test"),
            ("?", "ß"),
        ] {
            assert!(matches_whole(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [("a", "ab"), ("a?", "a"), ("?", ""), ("a*c", "acb"), ("", "a")] {
            assert!(!matches_whole(pattern, value), "{pattern} {value}");
        }
    }

    #[test]
    fn words_are_found_where_they_stand_alone() {
        for (pattern, value) in [
            ("cake", "I want Cake!"),
            ("cake", "cakes? cake"),
            ("c*ke", "a ccake"),
            ("lunch*", "lunchtime"),
            ("foo bar", "a foo bar b"),
            ("@room", "x@room y"),
            ("alice", "alice:"),
            ("né", "né"),
            ("?", "a"),
        ] {
            assert!(matches_words(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [
            ("cake", "pancake"),
            ("cake", "cake_"),
            ("cake", "cakes"),
            ("", "a"),
            ("a?", "abc"),
            ("lunch", ""),
        ] {
            assert!(!matches_words(pattern, value), "{pattern} {value}");
        }
    }

    #[test]
    fn a_name_is_no_pattern() {
        assert!(contains_name("Al*ce", "hi al*ce."));
        assert!(!contains_name("Al*ce", "hi alice."));
    }

    #[test]
    fn a_pattern_and_a_value_of_malice_take_no_more_than_their_product() {
        let pattern = "*a?".repeat(80);
        assert!(!matches_words(&pattern, &"b".repeat(60_000)));
        assert!(!matches_whole(&"?".repeat(70_000), &"b".repeat(100)));
    }
}
