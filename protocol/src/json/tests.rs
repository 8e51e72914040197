#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use ruma::canonical_json::to_canonical_value;
use serde_json::{Map, Value as JsonValue};

use super::*;

fn strict(text: &str) -> Result<String, CanonicalizeError> {
    canonicalize(text, Strictness::Strict)
}

fn lax(text: &str) -> String {
    canonicalize(text, Strictness::Lax).unwrap()
}

#[test]
fn the_examples_of_the_specification_become_canonical() {
    for (text, canonical) in [
        ("{}", "{}"),
        (r#"{ "one": 1, "two": "Two" }"#, r#"{"one":1,"two":"Two"}"#),
        (r#"{ "b": "2", "a": "1" }"#, r#"{"a":"1","b":"2"}"#),
        (r#"{"b":"2","a":"1"}"#, r#"{"a":"1","b":"2"}"#),
        (
            r#"{"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe",
               "three_pids":[{"medium":"email","address":"john.doe@example.org"},
               {"medium":"msisdn","address":"123456789"}]}}}"#,
            concat!(
                r#"{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":["#,
                r#"{"address":"john.doe@example.org","medium":"email"},"#,
                r#"{"address":"123456789","medium":"msisdn"}]},"success":true}}"#
            ),
        ),
        (r#"{"a": "日本語"}"#, r#"{"a":"日本語"}"#),
        (r#"{"本": 2, "日": 1}"#, r#"{"日":1,"本":2}"#),
        (r#"{"a": "\u65E5"}"#, r#"{"a":"日"}"#),
        (r#"{"a": null}"#, r#"{"a":null}"#),
    ] {
        assert_eq!(strict(text).unwrap(), canonical);
    }
}

#[test]
fn strings_are_written_with_the_shortest_escapes() {
    assert_eq!(
        strict(r#""\u0000\u0008\t\n\f\r\u001F\"\\\/\u007f\uD83D\uDE00""#).unwrap(),
        "\"\\u0000\\b\\t\\n\\f\\r\\u001f\\\"\\\\/\u{7f}😀\""
    );
}

#[test]
fn keys_are_sorted_by_code_point_not_by_how_they_are_written() {
    // U+FFFF sorts before U+10000, unlike in UTF-16; "\"" sorts before "a", though its escape begins with "\\".
    assert_eq!(
        strict("{\"\u{10000}\":1,\"\u{ffff}\":2,\"a\":3,\"\\\"\":4}").unwrap(),
        "{\"\\\"\":4,\"a\":3,\"\u{ffff}\":2,\"\u{10000}\":1}"
    );
}

#[test]
fn numbers_must_be_integers_within_the_range_of_doubles_when_strict() {
    for good in ["0", "-1", "9007199254740991", "-9007199254740991"] {
        assert_eq!(strict(good).unwrap(), good);
    }
    for bad in ["9007199254740992", "-9007199254740992", "-0", "1.0", "1e3", "0.5", "99999999999999999999"] {
        assert!(matches!(strict(bad), Err(CanonicalizeError::Number(_))), "{bad}");
    }
    for bad in ["01", "-", "1.", ".5", "1e", "+1", "0x1", "NaN", "Infinity"] {
        assert!(matches!(strict(bad), Err(CanonicalizeError::Syntax(_))), "{bad}");
    }
}

#[test]
fn numbers_are_written_as_python_writes_them_when_lax() {
    for (text, written) in [
        ("-0", "0"),
        ("99999999999999999999999999", "99999999999999999999999999"),
        ("1.0", "1.0"),
        ("-0.0", "-0.0"),
        ("50.570", "50.57"),
        ("5.114698E4", "51146.98"),
        ("1e3", "1000.0"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("1.5e300", "1.5e+300"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("1.25e-7", "1.25e-07"),
    ] {
        assert_eq!(lax(text), written);
    }
    assert!(matches!(canonicalize("1e400", Strictness::Lax), Err(CanonicalizeError::Number(_))));
}

#[test]
fn broken_text_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "tru",
        "nul",
        "1 2",
        "{} {}",
        "[1 2]",
        "\u{feff}{}",
        "'a'",
    ] {
        assert!(matches!(strict(text), Err(CanonicalizeError::Syntax(_))), "{text:?}");
    }
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800a""#] {
        assert!(matches!(strict(text), Err(CanonicalizeError::Surrogate(_))), "{text}");
    }
}

#[test]
fn duplicate_keys_are_refused_however_they_are_written() {
    for text in [r#"{"a":1,"a":2}"#, r#"{"a":1,"b":2,"\u0061":3}"#, r#"[{"x":{"":0,"":0}}]"#] {
        assert!(matches!(strict(text), Err(CanonicalizeError::DuplicateKey(_))), "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(strict(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(strict(&nested(MAX_DEPTH + 1)), Err(CanonicalizeError::TooDeep));
    assert_eq!(strict(&"{\"a\":".repeat(100_000)), Err(CanonicalizeError::TooDeep));
}

#[test]
fn members_are_found_by_their_names() {
    let text = lax(r#"{"a":"x","b\n":[1,"]",{"c":"}"}],"d":{"e":null},"f":true,"g":-12}"#);
    let object = Object::new(&text).unwrap();
    assert_eq!(object.get("a").unwrap().as_str().unwrap(), "x");
    assert_eq!(object.get("a").unwrap().as_plain_str(), Some("x"));
    let elements: Vec<_> =
        object.get("b\n").unwrap().as_array().unwrap().into_iter().map(Value::text).collect();
    assert_eq!(elements, ["1", "\"]\"", "{\"c\":\"}\"}"]);
    assert!(object.get("d").unwrap().as_object().unwrap().get("e").unwrap().is_null());
    assert_eq!(object.get("f").unwrap().as_bool(), Some(true));
    assert_eq!(object.get("g").unwrap().as_integer(), Some(-12));
    assert!(object.get("e").is_none());
}

#[test]
fn broken_objects_are_noticed() {
    for text in [
        "",
        "{",
        "[]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":[}",
        "{\"a\":\"}",
        "{1:2}",
        "{\"a\":1\"b\":2}",
    ] {
        assert_eq!(Object::new(text).err(), Some(Malformed), "{text}");
    }
}

/// Any JSON value whose numbers are canonical.
fn json() -> impl Strategy<Value = JsonValue> {
    let leaf = prop_oneof![
        Just(JsonValue::Null),
        any::<bool>().prop_map(JsonValue::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(JsonValue::from),
        any::<String>().prop_map(JsonValue::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(JsonValue::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| JsonValue::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_text_is_that_of_ruma(value in json()) {
        let expected = to_canonical_value(&value).unwrap().to_string();
        let escaped = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(strict(&escaped).unwrap(), expected.clone());
        prop_assert_eq!(strict(&expected).unwrap(), expected);
    }

    #[test]
    fn what_is_canonicalized_is_json_and_what_is_json_is_canonicalized(text in r#"[\[\]{}:,"\\ua0e.+\- \n-t-r]{0,24}"#) {
        let ours = canonicalize(&text, Strictness::Lax);
        let theirs = serde_json::from_str::<JsonValue>(&text);
        match &ours {
            Ok(canonical) => {
                prop_assert!(theirs.is_ok());
                prop_assert_eq!(&lax(canonical), canonical);
            }
            Err(CanonicalizeError::DuplicateKey(_) | CanonicalizeError::Number(_)) => {}
            Err(_) => prop_assert!(theirs.is_err(), "{ours:?}"),
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), name in any::<String>()) {
        let _ = canonicalize(&text, Strictness::Lax);
        if let Ok(object) = Object::new(&text) {
            let _ = object.get(&name).map(|value| (value.as_str(), value.as_integer(), value.is_canonical()));
        }
        let _ = Value::new(&text).as_array().map(|array| array.into_iter().count());
    }
}
