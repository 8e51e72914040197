//! Numbers in canonical JSON.
#![expect(clippy::arithmetic_side_effects, reason = "positions within a text that is in memory")]

/// The largest magnitude of an integer in canonical JSON.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The length in bytes of the JSON number that `text` starts with.
pub(super) fn length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let mut end = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(end);
    if whole == 0 {
        return None;
    }
    // A leading zero stands alone.
    end += if bytes.get(end) == Some(&b'0') { 1 } else { whole };
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent == 0 {
            return None;
        }
        end += 1 + sign + exponent;
    }
    Some(end)
}

/// Whether a JSON number is an integer within ±(2^53 - 1), written without fraction, exponent or negative zero.
pub(super) fn is_canonical_integer(token: &str) -> bool {
    token != "-0" && token.strip_prefix('-').unwrap_or(token).parse::<u64>().is_ok_and(|n| n <= MAX_INTEGER)
}

/// Writes a JSON number as the servers of room versions 1 to 5 did: integers of any size as they are, other numbers
/// in the shortest form that reads back as the same double (that of Python's `repr`).
///
/// `None` for a number that no double holds.
pub(super) fn write_lax(token: &str, out: &mut String) -> Option<()> {
    if !token.contains(['.', 'e', 'E']) {
        out.push_str(if token == "-0" { "0" } else { token });
        return Some(());
    }
    let double: f64 = token.parse().ok()?;
    if !double.is_finite() {
        return None;
    }
    // "d.ddde-x": the shortest digits and the decimal exponent.
    let scientific = format!("{double:e}");
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if double == 0.0 || (-4..16).contains(&exponent) {
        let plain = format!("{double}");
        out.push_str(&plain);
        if !plain.contains('.') {
            out.push_str(".0");
        }
    } else {
        out.push_str(mantissa);
        out.push('e');
        out.push(if exponent < 0 { '-' } else { '+' });
        let magnitude = exponent.unsigned_abs();
        if magnitude < 10 {
            out.push('0');
        }
        out.push_str(&magnitude.to_string());
    }
    Some(())
}
