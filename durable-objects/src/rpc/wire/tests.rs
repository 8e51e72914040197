use std::collections::BTreeMap;

use proptest::prelude::*;
use ruma::{OwnedUserId, UInt, serde::Raw, user_id};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Unit,
    Newtype(String),
    Tuple(u8, Option<i64>),
    Struct {
        first: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        second: Vec<Kind>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Every {
    number: i64,
    natural: u64,
    real: f64,
    text: String,
    letter: char,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
    nothing: (),
    maybe: Option<bool>,
    kinds: Vec<Kind>,
    pairs: BTreeMap<u32, (String, Kind)>,
    any: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    last: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Flattened {
    name: String,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Rest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one: Option<u32>,
    two: Vec<String>,
}

fn again<T: Serialize + DeserializeOwned>(message: &T) -> T {
    let text = to_text(message).unwrap();
    from_text(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Unit),
        any::<String>().prop_map(Kind::Newtype),
        (any::<u8>(), any::<Option<i64>>()).prop_map(|(first, second)| Kind::Tuple(first, second)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 0..4))
            .prop_map(|(first, second)| Kind::Struct { first, second })
    })
}

prop_compose! {
    fn every()(
        (number, natural, real) in (any::<i64>(), any::<u64>(), -1e300..1e300),
        (text, letter, left_out) in (any::<String>(), any::<char>(), any::<Option<String>>()),
        maybe in any::<Option<bool>>(),
        kinds in prop::collection::vec(kind(), 0..4),
        pairs in prop::collection::btree_map(any::<u32>(), (any::<String>(), kind()), 0..4),
        any in prop::collection::btree_map(any::<String>(), value(), 0..4),
        last in any::<Vec<u8>>(),
    ) -> Every {
        let any = any.into_iter().collect();
        Every { number, natural, real, text, letter, left_out, nothing: (), maybe, kinds, pairs, any, last }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(message in every()) {
        prop_assert_eq!(again(&message), message);
    }

    #[test]
    fn any_value_is_read_as_it_was(value in value()) {
        prop_assert_eq!(again(&value), value);
    }

    /// Whatever comes, it is refused or understood: nothing panics.
    #[test]
    fn a_spoiled_message_does_no_harm(message in every(), at in any::<prop::sample::Index>(), with in any::<String>()) {
        let mut text = to_text(&message).unwrap();
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        text.insert_str(*at.get(&places), &with);
        let _ = from_text::<Every>(&text);
        let _ = from_text::<Value>(&text);
    }
}

#[test]
fn a_message_looks_like_this() {
    let message = Kind::Struct { first: true, second: Vec::new() };
    assert_eq!(
        to_text(&(12, "hé", Some(-1), None::<u8>, message)).unwrap(),
        "[+12;\"3:hé-1;n{\"6:struct(t_);3}]"
    );
}

#[test]
fn json_is_not_parsed() {
    let raw = to_raw_value(&json!({"a": [1, "two"]})).unwrap();
    assert_eq!(to_text(&raw).unwrap(), "\"15:{\"a\":[1,\"two\"]}");
    assert_eq!(again(&raw).get(), raw.get());
    let typed: Raw<OwnedUserId> = Raw::new(&user_id!("@a:b.c").to_owned()).unwrap();
    assert_eq!(again(&Some(typed)).unwrap().deserialize().unwrap(), "@a:b.c");
    let boxes: Vec<Box<RawValue>> = vec![raw];
    assert_eq!(again(&boxes).len(), 1);
}

#[test]
fn flattened_fields_and_identifiers_are_read() {
    let read = again(&Flattened { name: "n".into(), rest: Rest { one: Some(1), two: vec!["x".into()] } });
    assert_eq!((read.name.as_str(), read.rest), ("n", Rest { one: Some(1), two: vec!["x".into()] }));
    let numbers: BTreeMap<OwnedUserId, UInt> = [(user_id!("@a:b.c").to_owned(), UInt::MAX)].into();
    assert_eq!(again(&numbers), numbers);
}

#[test]
fn an_optional_field_may_be_there_as_null() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Change {
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        uses: Option<Option<u64>>,
        last: bool,
    }
    fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
        Option::deserialize(deserializer).map(Some)
    }
    for uses in [None, Some(None), Some(Some(3))] {
        let change = Change { uses, last: true };
        assert_eq!(again(&change), change);
    }
}

#[test]
fn structs_with_other_fields_are_refused() {
    #[derive(Serialize)]
    struct Old {
        first: String,
        second: String,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "never read")]
    struct New {
        second: String,
        first: String,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "never read")]
    struct Longer {
        first: String,
        second: String,
        #[serde(default)]
        third: bool,
    }
    let text = to_text(&Old { first: "1".into(), second: "2".into() }).unwrap();
    assert!(from_text::<New>(&text).is_err());
    assert!(from_text::<Longer>(&text).is_err());
}

#[test]
fn what_is_garbled_is_refused() {
    for text in ["", "\"3:ab", "\"2:é!", "\"x:", "+;", "+1", "-0x1;", "[", "{\"1:a", "(", "()", "tt", "n "] {
        assert!(from_text::<Value>(text).is_err(), "{text}");
        assert!(from_text::<String>(text).is_err(), "{text}");
        assert!(from_text::<Rest>(text).is_err(), "{text}");
    }
    assert!(from_text::<u8>("+256;").is_err());
    assert!(from_text::<Kind>("\"4:none").is_err());
}
