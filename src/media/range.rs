//! Requests for a part of content [RFC 9110 §14], and for content that has changed [RFC 9110 §13].

/// The bytes of one range of a whole: the first, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first.
    pub offset: u64,
    /// How many; at least one.
    pub length: u64,
}

/// What a `Range` header asks of a whole of `size` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All: there is no header, or it is one that a server may ignore (several ranges, another unit).
    Whole,
    /// A part.
    Part(Part),
    /// Nothing that there is: 416.
    Unsatisfiable,
}

/// Reads a `Range` header.
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|value| value.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (offset, end) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => return Wanted::Whole,
        (Some(first), Some(last)) => (first, last.saturating_add(1).min(size)),
        (Some(first), None) if last.trim().is_empty() => (first, size),
        (None, Some(suffix)) if first.trim().is_empty() => (size.saturating_sub(suffix), size),
        _ => return Wanted::Whole,
    };
    match end.checked_sub(offset) {
        Some(length) if length > 0 => Wanted::Part(Part { offset, length }),
        _ => Wanted::Unsatisfiable,
    }
}

/// Whether an `If-None-Match` header names `etag`, which has its quotation marks.
pub fn names(header: &str, etag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
    header.trim() == "*" || header.split(',').any(strong)
}

#[cfg(test)]
mod tests {
    use super::{Part, Wanted, names, wanted};

    fn part(offset: u64, length: u64) -> Wanted {
        Wanted::Part(Part { offset, length })
    }

    #[test]
    fn one_range_of_bytes_is_served() {
        assert_eq!(wanted(Some("bytes=0-0"), 10), part(0, 1));
        assert_eq!(wanted(Some("bytes=5-"), 10), part(5, 5));
        assert_eq!(wanted(Some("bytes=-3"), 10), part(7, 3));
        assert_eq!(wanted(Some("bytes=-30"), 10), part(0, 10));
        assert_eq!(wanted(Some("bytes=2-99"), 10), part(2, 8));
    }

    #[test]
    fn what_is_not_understood_gives_the_whole() {
        for header in ["lines=1-2", "bytes=1-2,4-5", "bytes=b-c", "bytes=5-2", "bytes=-", "bytes", ""] {
            assert_eq!(wanted(Some(header), 10), Wanted::Whole, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    #[test]
    fn a_range_past_the_end_is_unsatisfiable() {
        assert_eq!(wanted(Some("bytes=10-"), 10), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-0"), 10), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn a_known_version_is_named_weakly_strongly_or_among_others() {
        assert!(names("\"a\"", "\"a\"") && names("W/\"a\"", "\"a\"") && names("\"b\", \"a\"", "\"a\""));
        assert!(names("*", "\"a\"") && !names("\"b\"", "\"a\""));
    }
}
