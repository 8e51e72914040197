//! Reporting content, and what administrators see of it.

use serde_json::{Value, json};

use super::{
    admin::admin,
    rooms::{create, path, say, segment},
};

const REPORTS: &str = "/_synapse/admin/v1";

#[test]
fn a_reported_event_is_kept_for_the_administrators() {
    let admin = admin();
    let (alice, bob) = (admin.register("alice"), admin.register("bob"));
    let room = create(&alice, json!({"preset": "public_chat", "name": "Pub", "room_alias_name": "pub"}));
    let event_id = say(&alice, &room, "t", "buy now");
    let target = path(&room, &format!("report/{}", segment(&event_id)));
    bob.refused("POST", &target, json!({"reason": "spam"}), 404, "M_NOT_FOUND");
    bob.ok("POST", &path(&room, "join"), Value::Null);
    bob.refused("POST", &path(&room, "report/$nothing"), json!({}), 404, "M_NOT_FOUND");
    assert_eq!(bob.ok("POST", &target, json!({"reason": "spam", "score": -100})), json!({}));

    bob.refused("GET", &format!("{REPORTS}/event_reports"), Value::Null, 403, "M_FORBIDDEN");
    let page = admin.ok("GET", &format!("{REPORTS}/event_reports?user_id=bob"), Value::Null);
    let now = admin.world.now();
    let expected = json!({
        "id": 1, "received_ts": now, "user_id": bob.user_id, "reason": "spam", "score": null,
        "event_id": event_id, "sender": alice.user_id, "room_id": room, "name": "Pub",
        "canonical_alias": "#pub:selvedge.test",
    });
    assert_eq!(page, json!({"event_reports": [expected], "total": 1}));
    let report = admin.ok("GET", &format!("{REPORTS}/event_reports/1"), Value::Null);
    assert_eq!(report["event_json"]["content"]["body"], "buy now");
    admin.ok("DELETE", &format!("{REPORTS}/event_reports/1"), Value::Null);
    admin.refused("GET", &format!("{REPORTS}/event_reports/1"), Value::Null, 404, "M_NOT_FOUND");
    admin.refused("GET", &format!("{REPORTS}/event_reports/x"), Value::Null, 400, "M_INVALID_PARAM");
}

#[test]
fn rooms_and_users_are_reported_by_anyone() {
    let admin = admin();
    let (alice, bob) = (admin.register("alice"), admin.register("bob"));
    let room = create(&alice, json!({"preset": "private_chat"}));
    let reason = json!({"reason": "sad"});
    bob.ok("POST", &path(&room, "report"), reason.clone());
    bob.refused("POST", &path("!nowhere:selvedge.test", "report"), reason.clone(), 404, "M_NOT_FOUND");
    for user in ["@alice:selvedge.test", "@nobody:selvedge.test", "@eve:other.test"] {
        bob.ok("POST", &format!("/_matrix/client/v3/users/{user}/report"), reason.clone());
    }
    let rooms = admin.ok("GET", &format!("{REPORTS}/room_reports"), Value::Null);
    assert_eq!((&rooms["room_reports"][0]["room_id"], &rooms["total"]), (&json!(room), &json!(1)));
    let users = admin.ok("GET", &format!("{REPORTS}/user_reports?limit=1&dir=f"), Value::Null);
    assert_eq!(users["user_reports"][0]["target_user_id"], alice.user_id);
    assert_eq!((&users["total"], &users["next_token"]), (&json!(2), &json!(1)));
    let users = admin.ok("GET", &format!("{REPORTS}/user_reports?limit=1&dir=f&from=1"), Value::Null);
    assert_eq!(users["user_reports"][0]["target_user_id"], "@eve:other.test");
    assert_eq!(users["next_token"], Value::Null);
    let long = json!({"reason": "x".repeat(10_001)});
    bob.refused("POST", &path(&room, "report"), long, 400, "M_INVALID_PARAM");
}
