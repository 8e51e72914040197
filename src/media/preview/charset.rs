//! The encoding of a page: as its header says, else as it says itself, else UTF-8 if it is that, else the one of the
//! old web.

/// How much of a page is searched for what it says of its encoding, in bytes.
const HEAD: usize = 2048;
/// What pages without a word of their encoding are in, that are not UTF-8.
const OLD: &str = "windows-1252";

/// The text of a page.
pub fn decode(page: &[u8], content_type: &str) -> String {
    let head = String::from_utf8_lossy(page.get(..HEAD).unwrap_or(page)).to_ascii_lowercase();
    let said = match page {
        [0xef, 0xbb, 0xbf, ..] => Some("utf-8".to_owned()),
        [0xfe, 0xff, ..] => Some("utf-16be".to_owned()),
        [0xff, 0xfe, ..] => Some("utf-16le".to_owned()),
        _ => label(&content_type.to_ascii_lowercase(), "charset").or_else(|| in_page(&head)),
    };
    let known = said.filter(|label| label != "utf-8").and_then(|label| decode_as(page, &label));
    known.unwrap_or_else(|| match std::str::from_utf8(page) {
        Ok(text) => text.to_owned(),
        // It was cut off within a character.
        Err(error) if error.error_len().is_none() => String::from_utf8_lossy(page).into_owned(),
        Err(_) => decode_as(page, OLD).unwrap_or_else(|| String::from_utf8_lossy(page).into_owned()),
    })
}

/// What a page, in lower case, says of its encoding: in a `<meta>`, or in an XML declaration.
fn in_page(head: &str) -> Option<String> {
    let mut metas = head.match_indices("<meta").filter_map(|(at, _)| head.get(at..)?.split('>').next());
    let meta = metas.find_map(|meta| label(meta, "charset"));
    // What could be read as ASCII is not UTF-16.
    let meta = meta.filter(|label| !label.starts_with("utf-16"));
    meta.or_else(|| label(head.strip_prefix("<?xml")?.split("?>").next()?, "encoding"))
}

/// The value after `name=`, without quotation marks.
fn label(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(name)?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let ends = |character: char| !(character.is_ascii_alphanumeric() || "-_:.".contains(character));
    value.split(ends).next().filter(|label| !label.is_empty()).map(str::to_owned)
}

/// By the platform, which knows all encodings of the web. `None` for an unknown one.
#[cfg(target_arch = "wasm32")]
fn decode_as(page: &[u8], label: &str) -> Option<String> {
    let decoder = web_sys::TextDecoder::new_with_label(label).ok()?;
    decoder.decode_with_js_u8_array(&js_sys::Uint8Array::from(page)).ok()
}

/// Natively, for tests, what they use.
#[cfg(not(target_arch = "wasm32"))]
fn decode_as(page: &[u8], label: &str) -> Option<String> {
    match label {
        OLD | "iso-8859-1" => Some(page.iter().copied().map(char::from).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_header_then_the_page_then_the_bytes_tell_the_encoding() {
        let latin = b"<meta charset=utf-8>\xfc";
        assert!(decode(latin, "text/html; charset=\"ISO-8859-1\"").ends_with('ü'));
        assert!(
            decode(b"<META http-equiv=x content='text/html; charset=iso-8859-1'>\xfc", "text/html")
                .ends_with('ü')
        );
        assert!(decode(b"<?xml version='1.0' encoding='iso-8859-1'?>\xfc", "text/html").ends_with('ü'));
        assert!(decode(b"\xfc", "text/html").ends_with('ü'));
        assert!(decode("ü".as_bytes(), "text/html").ends_with('ü'));
        assert!(decode("\u{feff}ü".as_bytes(), "text/html; charset=iso-8859-1").ends_with('ü'));
        assert!(decode("ü".as_bytes(), "text/html; charset=nonsense").ends_with('ü'));
    }

    #[test]
    fn a_page_that_is_cut_off_within_a_character_stays_utf_8() {
        assert_eq!(decode(b"\xc3\xbc\xc3", "text/html"), "ü\u{fffd}");
    }
}
