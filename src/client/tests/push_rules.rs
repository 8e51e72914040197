use serde_json::{Value, json};

use crate::testing::Client;

const GLOBAL: &str = "/_matrix/client/v3/pushrules/global/";

fn rule(kind: &str, id: &str) -> String {
    format!("{GLOBAL}{kind}/{id}")
}

fn ids(client: &Client, kind: &str) -> Vec<String> {
    let rules = client.ok("GET", GLOBAL, Value::Null);
    let rules = rules[kind].as_array().unwrap();
    rules.iter().map(|rule| rule["rule_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn everyone_begins_with_the_servers_rules() {
    let alice = Client::registered("alice");
    let all = alice.ok("GET", "/_matrix/client/v3/pushrules/", Value::Null);
    assert_eq!(all["global"]["override"][0]["rule_id"], ".m.rule.master");
    let data = "/_matrix/client/v3/user/@alice:selvedge.test/account_data/m.push_rules";
    assert_eq!(alice.ok("GET", data, Value::Null), all);
}

#[test]
fn a_rule_is_made_changed_and_removed() {
    let alice = Client::registered("alice");
    alice.ok("PUT", &rule("content", "cake"), json!({"pattern": "cake", "actions": ["notify"]}));
    let made = json!({"rule_id": "cake", "pattern": "cake", "actions": ["notify"], "enabled": true, "default": false});
    assert_eq!(alice.ok("GET", &rule("content", "cake"), Value::Null), made);
    alice.ok("PUT", &rule("content", "cake/enabled"), json!({"enabled": false}));
    assert_eq!(alice.ok("GET", &rule("content", "cake/enabled"), Value::Null), json!({"enabled": false}));
    alice.ok("PUT", &rule("content", "cake/actions"), json!({"actions": []}));
    assert_eq!(alice.ok("GET", &rule("content", "cake/actions"), Value::Null), json!({"actions": []}));
    alice.ok("DELETE", &rule("content", "cake"), Value::Null);
    alice.refused("GET", &rule("content", "cake"), Value::Null, 404, "M_NOT_FOUND");
    alice.refused("DELETE", &rule("content", "cake"), Value::Null, 404, "M_NOT_FOUND");
}

#[test]
fn rules_stand_in_the_order_that_was_asked_for() {
    let alice = Client::registered("alice");
    let put = |id: &str, place: &str| {
        let path = format!("{}{place}", rule("sender", &format!("@{id}:a.test")));
        alice.ok("PUT", &path, json!({"actions": ["notify"]}));
    };
    put("one", "");
    put("two", "");
    put("three", "?after=@two:a.test");
    put("four", "?before=@two:a.test");
    assert_eq!(ids(&alice, "sender"), ["@four:a.test", "@two:a.test", "@three:a.test", "@one:a.test"]);
}

#[test]
fn a_rule_is_moved_and_stays_off() {
    let alice = Client::registered("alice");
    let put = |id: &str, place: &str| {
        let path = format!("{}{place}", rule("content", id));
        alice.ok("PUT", &path, json!({"pattern": id, "actions": []}));
        ids(&alice, "content")
    };
    for id in ["d", "c", "b", "a"] {
        put(id, "");
    }
    alice.ok("PUT", &rule("content", "a/enabled"), json!({"enabled": false}));
    assert_eq!(put("a", "?after=b"), ["b", "a", "c", "d"]);
    assert_eq!(put("a", "?before=d"), ["b", "c", "a", "d"]);
    assert_eq!(put("a", "?after=d"), ["b", "c", "d", "a"]);
    assert_eq!(put("a", "?before=b&after=d"), ["a", "b", "c", "d"]);
    assert_eq!(alice.ok("GET", &rule("content", "a/enabled"), Value::Null)["enabled"], false);
    let after_itself = format!("{}?after=a", rule("content", "a"));
    alice.refused("PUT", &after_itself, json!({"pattern": "x", "actions": []}), 400, "M_UNKNOWN");
    assert_eq!(ids(&alice, "content"), ["a", "b", "c", "d"]);
}

#[test]
fn the_servers_rules_can_be_turned_off_but_not_replaced() {
    let alice = Client::registered("alice");
    alice.ok("PUT", &rule("override", ".m.rule.master/enabled"), json!({"enabled": true}));
    assert_eq!(alice.ok("GET", &rule("override", ".m.rule.master"), Value::Null)["enabled"], true);
    let body = json!({"conditions": [], "actions": []});
    alice.refused("PUT", &rule("override", ".m.rule.master"), body, 400, "M_INVALID_PARAM");
    alice.refused("DELETE", &rule("override", ".m.rule.master"), Value::Null, 400, "M_INVALID_PARAM");
}

#[test]
fn a_push_rule_of_the_wrong_form_is_refused() {
    let alice = Client::registered("alice");
    let (status, _) = alice.request("PUT", &rule("sender", "nonsense"), json!({"actions": []}));
    assert_eq!(status, 400);
    let (status, _) = alice.request("PUT", &rule("unheard", "x"), json!({"actions": []}));
    assert_eq!(status, 400);
    let after_unknown = format!("{}?after=unknown", rule("content", "x"));
    alice.refused("PUT", &after_unknown, json!({"pattern": "x", "actions": []}), 400, "M_UNKNOWN");
    alice.refused("PUT", &rule("content", "no/enabled"), json!({"enabled": true}), 404, "M_NOT_FOUND");
    let long = json!({"pattern": "?".repeat(5_000), "actions": []});
    alice.refused("PUT", &rule("content", "long"), long, 400, "M_INVALID_PARAM");
}
