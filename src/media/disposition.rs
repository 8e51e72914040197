//! `Content-Disposition`: whether a browser may show content in place, and the file's name [RFC 6266].

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest file name that is kept, in bytes.
pub const MAX_FILE_NAME: usize = 1_000;

/// What a browser may show in place without running any of it `[C-S §11.7.6]`.
const INLINE: [&str; 26] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
];

/// `attr-char` of [RFC 5987 §3.2.1].
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The header's value for content of a type, and its name if it has one.
pub fn content_disposition(content_type: &str, file_name: Option<&str>) -> String {
    let kind = if INLINE.contains(&essence(content_type).as_str()) { "inline" } else { "attachment" };
    match file_name.filter(|name| !name.is_empty()) {
        None => kind.to_owned(),
        Some(name) if is_token(name) => format!("{kind}; filename={name}"),
        Some(name) if is_plain(name) => format!("{kind}; filename=\"{name}\""),
        Some(name) => format!("{kind}; filename*=utf-8''{}", utf8_percent_encode(name, EXTENDED)),
    }
}

fn is_token(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte))
}

/// Whether a name may stand in quotation marks without any escape, which not everyone reads alike.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"\"\\%".contains(&byte))
}

/// The file's name in a header's value that another server sent.
pub fn file_name(value: &str) -> Option<String> {
    let mut plain = None;
    for (name, value) in parameters(value) {
        match name.as_str() {
            "filename*" => {
                let (charset, rest) = value.split_once('\'')?;
                let (_, encoded) = rest.split_once('\'')?;
                if charset.eq_ignore_ascii_case("utf-8") {
                    let decoded = percent_decode_str(encoded).decode_utf8().ok()?;
                    return Some(decoded.into_owned()).filter(|name| is_kept(name));
                }
            }
            "filename" => plain = Some(value),
            _ => {}
        }
    }
    plain.filter(|name| is_kept(name))
}

fn is_kept(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_FILE_NAME
}

/// The parameters after the first `;`, names in lower case, quotation marks taken off.
pub fn parameters(value: &str) -> Vec<(String, String)> {
    let (mut pieces, mut piece, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in value.chars() {
        match c {
            _ if escaped => {
                escaped = false;
                piece.push(c);
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => pieces.push(std::mem::take(&mut piece)),
            _ => piece.push(c),
        }
    }
    pieces.push(piece);
    let named = pieces.iter().skip(1).filter_map(|piece| piece.split_once('='));
    named.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::{content_disposition, file_name};

    #[test]
    fn only_what_a_browser_cannot_run_is_shown_in_place() {
        assert_eq!(content_disposition("image/png", None), "inline");
        assert_eq!(content_disposition("Text/Plain; charset=utf-8", None), "inline");
        for kind in ["text/html", "image/svg+xml", "application/pdf", "", "application/octet-stream"] {
            assert_eq!(content_disposition(kind, None), "attachment", "{kind}");
        }
    }

    #[test]
    fn a_name_of_any_characters_comes_back_as_it_was() {
        for name in
            ["a.png", "a b;c.png", "ü \"quoted\" \\ ☕.txt", "100%.txt", "x'y", "(1).txt", "a\r\nB: c"]
        {
            let value = content_disposition("image/png", Some(name));
            assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{value}");
            assert_eq!(file_name(&value).as_deref(), Some(name));
        }
    }

    #[test]
    fn the_extended_name_wins() {
        let value = "attachment; filename=\"fallback.txt\"; filename*=UTF-8''%e2%98%95.txt";
        assert_eq!(file_name(value).as_deref(), Some("☕.txt"));
        assert_eq!(file_name("inline"), None);
        assert_eq!(file_name("inline; filename="), None);
    }
}
