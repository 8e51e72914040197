//! Character references of HTML: numeric ones, and the names that pages use in titles and descriptions.

/// The longest reference that is looked for, in bytes.
const LONGEST: usize = 32;

/// Names whose characters follow one another from U+00A0 on.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 \
    sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml \
    Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml \
    times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil \
    egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash \
    ugrave uacute ucirc uuml yacute thorn yuml";

const OTHERS: [(&str, char); 24] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("AMP", '&'),
    ("LT", '<'),
    ("GT", '>'),
    ("QUOT", '"'),
    ("hellip", '…'),
    ("mdash", '—'),
    ("ndash", '–'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("bull", '•'),
    ("euro", '€'),
    ("trade", '™'),
    ("rarr", '→'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
];

/// Text with its references resolved; what is none stays as it is.
pub fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let reference = after.bytes().take(LONGEST).position(|byte| byte == b';');
        let found = reference.and_then(|end| Some((resolve(after.get(..end)?)?, after.get(end..)?)));
        if let Some((character, after)) = found {
            decoded.push(character);
            rest = after.strip_prefix(';').unwrap_or(after);
        } else {
            decoded.push('&');
            rest = after;
        }
    }
    decoded.push_str(rest);
    decoded
}

/// What stands between `&` and `;`.
fn resolve(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let character = char::from_u32(number.ok()?)?;
        return (character != '\0').then_some(character);
    }
    let other = OTHERS.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
    other.or_else(|| {
        let index = LATIN.split_ascii_whitespace().position(|known| known == name)?;
        char::from_u32(u32::try_from(index).ok()?.checked_add(0xa0)?)
    })
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn references_become_characters() {
        assert_eq!(
            decode("a &amp; b &lt;c&gt; &#228;&#xE4;&auml;&yuml;&nbsp;&hellip;"),
            "a & b <c> äääÿ\u{a0}…"
        );
    }

    #[test]
    fn what_is_no_reference_stays() {
        for text in ["&", "&;", "&nothing;", "a & b; c", "&#xd800;", "&#0;", "&#99999999999;", "&amp", "&ü;"]
        {
            assert_eq!(decode(text), text);
        }
    }
}
