//! Which of two keys of a session a backup keeps `[C-S §11.15.3.2.1]`.

use serde_json::Value;

/// What the choice depends on.
fn facts(key: &Value) -> (bool, u64, u64) {
    let number = |name: &str| key.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX);
    let is_verified = key.get("is_verified").and_then(Value::as_bool).unwrap_or(false);
    (is_verified, number("first_message_index"), number("forwarded_count"))
}

/// Why `key` is not one of a backup; its `session_data` is nobody's business but the client's.
pub(super) fn check_form(key: &Value) -> Result<(), String> {
    let is_number = |name: &str| key.get(name).is_some_and(Value::is_u64);
    if !is_number("first_message_index") || !is_number("forwarded_count") {
        return Err("A key has a first_message_index and a forwarded_count, which are numbers".to_owned());
    }
    if !key.get("is_verified").is_some_and(Value::is_boolean) {
        return Err("A key has an is_verified, which is true or false".to_owned());
    }
    if !key.get("session_data").is_some_and(Value::is_object) {
        return Err("A key has session_data, which is an object".to_owned());
    }
    Ok(())
}

/// Whether `new` replaces `known`: a verified key an unverified one, else the one with which more messages can be read,
/// else the one that went through fewer hands.
pub(super) fn is_better(new: &Value, known: &Value) -> bool {
    let (new_verified, new_index, new_forwarded) = facts(new);
    let (known_verified, known_index, known_forwarded) = facts(known);
    if new_verified != known_verified {
        return new_verified;
    }
    if new_index != known_index {
        return new_index < known_index;
    }
    new_forwarded < known_forwarded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key((is_verified, index, forwarded): (bool, u64, u64)) -> Value {
        json!({"is_verified": is_verified, "first_message_index": index, "forwarded_count": forwarded})
    }

    #[test]
    fn verified_then_earlier_then_less_forwarded_wins_and_the_first_of_equals() {
        for (new, known, expected) in [
            ((true, 9, 9), (false, 0, 0), true),
            ((false, 0, 0), (true, 9, 9), false),
            ((true, 1, 9), (true, 2, 0), true),
            ((true, 2, 0), (true, 1, 9), false),
            ((false, 1, 1), (false, 1, 2), true),
            ((false, 1, 2), (false, 1, 1), false),
            ((true, 1, 1), (true, 1, 1), false),
        ] {
            assert_eq!(is_better(&key(new), &key(known)), expected, "{new:?} against {known:?}");
        }
    }
}
