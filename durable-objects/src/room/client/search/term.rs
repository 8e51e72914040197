//! What a user typed, as a query of the full-text index, and the words of a text that it matches.

use crate::rpc::room::{SearchKey, SearchQuery};

/// How many words and phrases count.
const MAX_PARTS: usize = 32;
/// Words of at least so many characters also match longer words that begin with them.
const MIN_PREFIX: usize = 3;

/// A word or a phrase.
struct Part {
    text: String,
    is_prefix: bool,
}

/// The parts of a term: all of them have to be found.
fn parts(term: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    // Every second piece is between quotes.
    for (index, piece) in term.split('"').enumerate() {
        if index % 2 == 1 {
            parts.push(Part { text: piece.to_owned(), is_prefix: false });
            continue;
        }
        parts.extend(piece.split_whitespace().map(|word| Part {
            text: word.to_owned(),
            is_prefix: word.chars().filter(|char| char.is_alphanumeric()).count() >= MIN_PREFIX,
        }));
    }
    // The index has letters and digits only: nothing else could be found.
    parts.retain(|part| part.text.chars().any(char::is_alphanumeric));
    parts.truncate(MAX_PARTS);
    parts
}

/// The query for SQLite's FTS5; `None` when there is no word to search for.
pub(super) fn full_text_query(query: &SearchQuery) -> Option<String> {
    let parts = parts(&query.term);
    if parts.is_empty() {
        return None;
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|part| {
            // Within quotes, nothing has a meaning of its own; a NUL would end the query.
            let text: String = part.text.chars().filter(|char| *char != '\0').collect();
            format!("\"{text}\"{}", if part.is_prefix { " *" } else { "" })
        })
        .collect();
    let columns: Vec<&str> = query.keys.iter().map(|key| column(*key)).collect();
    let matches = parts.join(" AND ");
    Some(if columns.is_empty() { matches } else { format!("{{{}}} : ({matches})", columns.join(" ")) })
}

fn column(key: SearchKey) -> &'static str {
    match key {
        SearchKey::Body => "body",
        SearchKey::Name => "name",
        SearchKey::Topic => "topic",
    }
}

/// The words of `text`, in lower case, that the term matches.
pub(super) fn matching_words(term: &str, text: &str) -> Vec<String> {
    let parts = parts(term);
    let wanted: Vec<(String, bool)> = parts
        .iter()
        .flat_map(|part| {
            let words: Vec<String> = words(&part.text).collect();
            let last = words.len().saturating_sub(1);
            words.into_iter().enumerate().map(move |(index, word)| (word, part.is_prefix && index == last))
        })
        .collect();
    let matches = |word: &String| {
        wanted.iter().any(|(wanted, is_prefix)| word == wanted || *is_prefix && word.starts_with(wanted))
    };
    words(text).filter(matches).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn query(term: &str, keys: &[SearchKey]) -> Option<String> {
        full_text_query(&SearchQuery { term: term.to_owned(), keys: keys.to_vec() })
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
    fn keys_choose_the_texts() {
        let keys = [SearchKey::Name, SearchKey::Topic];
        assert_eq!(query("x", &keys).unwrap(), r#"{name topic} : ("x")"#);
    }

    #[test]
    fn the_words_that_match_are_told() {
        let found = matching_words("Mess 4 \"an other\"", "Messages, an 44 4 others other");
        assert_eq!(found, ["messages", "an", "4", "other"]);
    }
}
