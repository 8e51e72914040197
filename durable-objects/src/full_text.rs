//! What a user typed, as a query of a full-text index (SQLite's FTS5), and the words of a text that it matches.
//!
//! The index knows words by what is between them. Chinese, Japanese and Korean have too little of that: their
//! characters are words of their own to it ([`spaced`]), and what was typed without a space is looked for as a phrase.

use std::borrow::Cow;

/// How many words and phrases count.
const MAX_PARTS: usize = 32;

/// Words, and phrases in double quotes, all of which have to be found.
#[derive(Debug, Clone)]
pub struct Term(Vec<Part>);

#[derive(Debug, Clone)]
struct Part {
    text: String,
    /// Whether its last word may go on.
    is_prefix: bool,
}

impl Term {
    /// A term for texts: words of three characters or more also match longer ones that begin with them.
    pub fn of_text(text: &str) -> Self {
        Self::new(text, 3)
    }

    /// A term for names: all words also match longer ones that begin with them.
    pub fn of_name(text: &str) -> Self {
        Self::new(text, 1)
    }

    fn new(text: &str, min_prefix: usize) -> Self {
        let mut parts = Vec::new();
        // Every second piece is between quotes.
        for (index, piece) in text.split('"').enumerate() {
            if index % 2 == 1 {
                parts.push(Part { text: piece.to_owned(), is_prefix: false });
                continue;
            }
            parts.extend(piece.split_whitespace().map(|word| Part {
                text: word.to_owned(),
                is_prefix: word.chars().filter(|char| char.is_alphanumeric()).count() >= min_prefix,
            }));
        }
        // The index has letters and digits only: nothing else could be found.
        parts.retain(|part| part.text.chars().any(char::is_alphanumeric));
        parts.truncate(MAX_PARTS);
        Self(parts)
    }

    /// The query; `None` when there is no word to search for.
    pub fn query(&self) -> Option<String> {
        let parts = self.0.iter().map(|part| {
            // Within quotes, nothing has a meaning of its own; a NUL would end the query.
            let text: String = spaced(&part.text).chars().filter(|char| *char != '\0').collect();
            format!("\"{text}\"{}", if part.is_prefix { " *" } else { "" })
        });
        (!self.0.is_empty()).then(|| parts.collect::<Vec<_>>().join(" AND "))
    }

    /// The same, in some columns; in all when there is none.
    pub fn query_in(&self, columns: &[&str]) -> Option<String> {
        let query = self.query()?;
        Some(if columns.is_empty() { query } else { format!("{{{}}} : ({query})", columns.join(" ")) })
    }

    /// The words of `text`, in lower case, that the term matches.
    pub fn matching_words(&self, text: &str) -> Vec<String> {
        let mut wanted: Vec<(String, bool)> = Vec::new();
        for part in &self.0 {
            wanted.extend(words(&part.text).map(|word| (word, false)));
            if let Some((_, may_go_on)) = wanted.last_mut() {
                *may_go_on = part.is_prefix;
            }
        }
        let matched = |word: String| -> Vec<String> {
            if word.starts_with(stands_alone) {
                return wanted
                    .iter()
                    .map(|(wanted, _)| wanted.clone())
                    .filter(|of| word.contains(of))
                    .collect();
            }
            let matches = |(wanted, may_go_on): &(String, bool)| {
                word == *wanted || *may_go_on && word.starts_with(wanted)
            };
            if wanted.iter().any(matches) { vec![word] } else { Vec::new() }
        };
        words(text).flat_map(matched).collect()
    }
}

/// Whether a character is of a script that is written without spaces, or with few: Han, kana, bopomofo, hangul.
fn stands_alone(char: char) -> bool {
    matches!(char,
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}'
        | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
}

/// The text as it is indexed: with spaces around characters that stand alone.
pub fn spaced(text: &str) -> Cow<'_, str> {
    if !text.contains(stands_alone) {
        return text.into();
    }
    let mut spaced = String::with_capacity(text.len().saturating_mul(2));
    for char in text.chars() {
        if stands_alone(char) {
            spaced.extend([' ', char, ' ']);
        } else {
            spaced.push(char);
        }
    }
    spaced.into()
}

/// The words of a text in lower case; of scripts without spaces, what stands together.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    words.flat_map(runs).map(str::to_lowercase)
}

/// The parts of a word that are of scripts without spaces, and the others.
fn runs(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|char| stands_alone(char) != stands_alone(first)).unwrap_or(rest.len());
        let (run, others) = rest.split_at_checked(end)?;
        rest = others;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn query(term: &str, columns: &[&str]) -> Option<String> {
        Term::of_text(term).query_in(columns)
    }

    #[test]
    fn all_words_are_wanted_and_long_ones_may_go_on() {
        assert_eq!(query("Message 4", &[]).unwrap(), r#""Message" * AND "4""#);
    }

    #[test]
    fn what_is_in_quotes_is_wanted_as_it_is() {
        assert_eq!(query(r#"one "two three" "#, &[]).unwrap(), r#""one" * AND "two three""#);
        assert_eq!(query(r#"an "open quote"#, &[]).unwrap(), r#""an" AND "open quote""#);
    }

    #[test]
    fn a_term_has_no_operators() {
        assert_eq!(query("a OR b*", &[]).unwrap(), r#""a" AND "OR" AND "b*""#);
        assert_eq!(query("body: -x \0y", &[]).unwrap(), r#""body:" * AND "-x" AND "y""#);
        assert_eq!(query("!!! -- \"\"", &[]), None);
    }

    #[test]
    fn columns_choose_the_texts() {
        assert_eq!(query("x", &["name", "topic"]).unwrap(), r#"{name topic} : ("x")"#);
    }

    #[test]
    fn characters_of_scripts_without_spaces_are_words() {
        assert_eq!(spaced("plain text"), "plain text");
        assert_eq!(spaced("v2は良い"), "v2 は  良  い ");
        assert_eq!(query("世界 한국어", &[]).unwrap(), r#"" 世  界 " AND " 한  국  어 " *"#);
        let found = Term::of_text("世界 v2").matching_words("你好世界！V2版, 世 v22");
        assert_eq!(found, ["世界", "v2"]);
    }

    #[test]
    fn the_words_that_match_are_told() {
        let found = Term::of_text("Mess 4 \"an other\"").matching_words("Messages, an 44 4 others other");
        assert_eq!(found, ["messages", "an", "4", "other"]);
    }
}
