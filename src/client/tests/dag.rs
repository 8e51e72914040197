use serde_json::{Value, json};

use crate::testing::Client;

#[test]
fn an_administrator_sees_the_dag_of_a_room_in_parts() {
    let alice = Client::registered("alice");
    alice.world.configure(|config| config.admin_token = Some("operator".to_owned()));
    let room = alice.ok("POST", "/_matrix/client/v3/createRoom", json!({"preset": "public_chat"}));
    let path = format!("/_selvedge/admin/v1/rooms/{}/dag", room["room_id"].as_str().unwrap());
    alice.refused("GET", &path, Value::Null, 403, "M_FORBIDDEN");
    let operator = Client { token: Some("operator".to_owned()), ..alice };
    let whole = operator.ok("GET", &path, Value::Null);
    let events = whole["events"].as_array().unwrap();
    assert_eq!((events[0]["is_extremity"].as_bool(), &whole["next"]), (Some(true), &Value::Null));
    assert_eq!(events[events.len() - 1]["type"], "m.room.create");
    for pair in events.windows(2) {
        assert_eq!(pair[0]["prev_events"], json!([pair[1]["event_id"]]));
        assert_eq!(pair[0]["standing"], "accepted");
    }
    let (mut parts, mut before) = (Vec::new(), String::new());
    loop {
        let part = operator.ok("GET", &format!("{path}?limit=2{before}"), Value::Null);
        parts.extend(part["events"].as_array().unwrap().clone());
        let Some(next) = part["next"].as_u64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(parts, *events);
    let unknown = "/_selvedge/admin/v1/rooms/!none:selvedge.test/dag";
    operator.refused("GET", unknown, Value::Null, 404, "M_NOT_FOUND");
}
