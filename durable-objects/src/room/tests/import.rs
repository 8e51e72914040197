//! Rooms that a hostile server gives.

use ruma::RoomVersionId;
use selvedge_protocol::event::Pdu;
use serde_json::json;

use super::peer::Peer;
use crate::room::{commit::Piece, store::Standing};

#[test]
fn events_that_cite_each_other_in_a_circle_are_rejected() {
    let a = Peer::creating("a.test", &RoomVersionId::V1);
    let b = Peer::joining("b.test", &a);
    let join = a.make_join(&b, "bob");
    a.receive(&join);
    b.room.begin_import(&b.server, join.room_id().to_owned(), b.version.clone()).unwrap();
    let ids = [0, 1, 2].map(|index| format!("$circle{index}:a.test"));
    let circle = [0, 1, 2].map(|index: usize| {
        let event = json!({
            "type": "m.room.topic", "state_key": index.to_string(), "content": {}, "event_id": ids[index],
            "room_id": join.room_id(), "sender": a.user("creator"), "depth": 1, "origin_server_ts": 1,
            "prev_events": [], "auth_events": [[ids[(index + 1) % 3], {"sha256": "AA"}]], "hashes": {"sha256": "AA"},
            "signatures": {},
        });
        Pdu::parse(&event.to_string(), &a.rules).unwrap()
    });
    let state = circle.iter().map(|pdu| b.verified(pdu)).collect();
    b.room.import(&b.server, &Piece { auth_chain: Vec::new(), state }).unwrap();
    for piece in a.send_join_answer(&join, 7) {
        b.room.import(&b.server, &piece).unwrap();
    }
    let _ = b.room.finish_import(&b.server, &b.verified(&join), None).unwrap();
    for event in &circle {
        assert_eq!(b.standing(&event.event_id().to_owned()), Some(Standing::Rejected));
    }
    assert_eq!(b.state(), a.state());
}
