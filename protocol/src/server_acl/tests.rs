#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value as JsonValue, json};

use super::*;

fn acl(content: &JsonValue) -> ServerAcl {
    let event = json!({
        "type": "m.room.server_acl", "state_key": "", "sender": "@a:a", "room_id": "!r:a", "content": content,
        "origin_server_ts": 1, "depth": 1, "prev_events": [], "auth_events": [],
    });
    ServerAcl::new(&Pdu::from_stored("$acl".try_into().unwrap(), event.to_string()).unwrap())
}

fn allows(content: &JsonValue, server: &str) -> bool {
    acl(content).allows(server.try_into().unwrap())
}

#[test]
fn a_server_is_allowed_only_by_name() {
    assert!(!allows(&json!({}), "a.com"));
    assert!(!allows(&json!({ "allow": "*" }), "a.com"));
    assert!(!allows(&json!({ "allow": [1, null] }), "a.com"));
    assert!(allows(&json!({ "allow": ["*"] }), "a.com"));
    assert!(allows(&json!({ "allow": ["b.com", 1, "a.com"] }), "a.com"));
}

#[test]
fn denial_goes_before_allowance() {
    let content = json!({ "allow": ["*"], "deny": ["evil.com", "*.evil.com"] });
    assert!(allows(&content, "good.com"));
    assert!(allows(&content, "notevil.com"));
    for denied in ["evil.com", "x.evil.com", "x.y.evil.com"] {
        assert!(!allows(&content, denied), "{denied}");
    }
    assert!(allows(&json!({ "allow": ["*"], "deny": "evil.com" }), "evil.com"));
}

#[test]
fn ports_and_case_do_not_matter() {
    let content = json!({ "allow": ["*"], "deny": ["Evil.com"] });
    for denied in ["evil.com", "evil.com:8448", "evil.com:1234", "EVIL.COM"] {
        assert!(!allows(&content, denied), "{denied}");
    }
    assert!(allows(&json!({ "allow": ["[2001:db8::1]"] }), "[2001:DB8::1]:8448"));
}

#[test]
fn ip_literals_are_allowed_unless_denied() {
    for literal in ["1.2.3.4", "1.2.3.4:8448", "[::1]", "[2001:db8::1]:8448"] {
        assert!(allows(&json!({ "allow": ["*"] }), literal), "{literal}");
        assert!(allows(&json!({ "allow": ["*"], "allow_ip_literals": "false" }), literal), "{literal}");
        assert!(!allows(&json!({ "allow": ["*"], "allow_ip_literals": false }), literal), "{literal}");
    }
    assert!(allows(&json!({ "allow": ["*"], "allow_ip_literals": false }), "1.2.3.4.com"));
}

#[test]
fn stars_stand_for_any_text_and_question_marks_for_one_character() {
    for (pattern, text, matches) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("?", "", false),
        ("a*c", "ac", true),
        ("a*c", "abbc", true),
        ("a*c", "abcb", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*.*.com", "a.com", false),
        ("*a*b*", "xaxxbx", true),
        ("*aab", "aaab", true),
        ("a.c", "abc", false),
        ("[a]", "a", false),
        ("é?", "éü", true),
    ] {
        assert_eq!(glob_matches(pattern, text), matches, "{pattern} {text}");
    }
}

#[test]
fn a_pattern_of_many_stars_costs_little() {
    assert!(!glob_matches(&"*a".repeat(200), &"a".repeat(190)));
}

proptest! {
    #[test]
    fn globs_match_as_a_plain_recursion_does(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        fn plain(pattern: &[u8], text: &[u8]) -> bool {
            match pattern {
                [] => text.is_empty(),
                [b'*', rest @ ..] => (0..=text.len()).any(|taken| plain(rest, text.split_at(taken).1)),
                [expected, rest @ ..] => text
                    .split_first()
                    .is_some_and(|(found, text)| (*expected == b'?' || expected == found) && plain(rest, text)),
            }
        }
        prop_assert_eq!(glob_matches(&pattern, &text), plain(pattern.as_bytes(), text.as_bytes()));
    }
}
