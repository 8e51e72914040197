//! What redaction leaves of an event. [C-S §11.7, room versions, redactions]

use ruma::room_version_rules::RedactionRules;

use crate::json::{Key, Object, Value};

/// What happens to a member on redaction.
enum Keep {
    All,
    No,
    /// Keep the members of this object that the function keeps.
    Members(fn(&RedactionRules, Key<'_>) -> Keep),
}

/// The canonical text of `event` after redaction, also without the members in `leave_out`.
pub fn redact(event: Object<'_>, rules: &RedactionRules, leave_out: &[&str]) -> String {
    let content = content_rule(event, rules);
    let mut out = String::from("{");
    for (key, value) in event {
        if leave_out.iter().any(|name| key.is(name)) {
            continue;
        }
        let keep = if key.is("content") {
            match content {
                Some(keep) => Keep::Members(keep),
                None => Keep::All,
            }
        } else {
            event_key(rules, key)
        };
        write_member(rules, key, value, &keep, &mut out);
    }
    out.push('}');
    out
}

/// The canonical text of `object` without the members in `leave_out`.
pub(super) fn without(object: Object<'_>, leave_out: &[&str]) -> String {
    let mut out = String::from("{");
    for (key, value) in object {
        if !leave_out.iter().any(|name| key.is(name)) {
            push_member(key, value.text(), &mut out);
        }
    }
    out.push('}');
    out
}

fn push_member(key: Key<'_>, value: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    out.push_str(key.text());
    out.push(':');
    out.push_str(value);
}

fn write_member(rules: &RedactionRules, key: Key<'_>, value: Value<'_>, keep: &Keep, out: &mut String) {
    match (keep, value.as_object()) {
        (Keep::All, _) => push_member(key, value.text(), out),
        (Keep::Members(keep), Some(members)) => {
            push_member(key, "{", out);
            for (key, value) in members {
                write_member(rules, key, value, &keep(rules, key), out);
            }
            out.push('}');
        }
        (Keep::No | Keep::Members(_), _) => {}
    }
}

fn keep_if(condition: bool) -> Keep {
    if condition { Keep::All } else { Keep::No }
}

fn event_key(rules: &RedactionRules, key: Key<'_>) -> Keep {
    keep_if(match &*key.name() {
        "event_id" | "type" | "room_id" | "sender" | "state_key" | "hashes" | "signatures" | "depth"
        | "prev_events" | "auth_events" | "origin_server_ts" => true,
        "origin" | "membership" | "prev_state" => rules.keep_origin_membership_prev_state,
        _ => false,
    })
}

/// Which members of the content to keep, by event type; `None` for all.
fn content_rule(event: Object<'_>, rules: &RedactionRules) -> Option<fn(&RedactionRules, Key<'_>) -> Keep> {
    let event_type = event.get("type").and_then(Value::as_str).unwrap_or_default();
    Some(match &*event_type {
        "m.room.create" if rules.keep_room_create_content => return None,
        "m.room.create" => |_, key| keep_if(key.is("creator")),
        "m.room.member" => member_key,
        "m.room.join_rules" => {
            |rules, key| keep_if(key.is("join_rule") || rules.keep_room_join_rules_allow && key.is("allow"))
        }
        "m.room.power_levels" => power_levels_key,
        "m.room.history_visibility" => |_, key| keep_if(key.is("history_visibility")),
        "m.room.redaction" => |rules, key| keep_if(rules.keep_room_redaction_redacts && key.is("redacts")),
        "m.room.aliases" => |rules, key| keep_if(rules.keep_room_aliases_aliases && key.is("aliases")),
        _ => |_, _| Keep::No,
    })
}

fn member_key(rules: &RedactionRules, key: Key<'_>) -> Keep {
    match &*key.name() {
        "membership" => Keep::All,
        "join_authorised_via_users_server" => {
            keep_if(rules.keep_room_member_join_authorised_via_users_server)
        }
        "third_party_invite" if rules.keep_room_member_third_party_invite_signed => {
            Keep::Members(|_, key| keep_if(key.is("signed")))
        }
        _ => Keep::No,
    }
}

fn power_levels_key(rules: &RedactionRules, key: Key<'_>) -> Keep {
    keep_if(match &*key.name() {
        "ban" | "events" | "events_default" | "kick" | "redact" | "state_default" | "users"
        | "users_default" => true,
        "invite" => rules.keep_room_power_levels_invite,
        _ => false,
    })
}
