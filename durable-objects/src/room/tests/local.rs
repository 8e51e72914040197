//! Events of this server's users.

use ruma::{RoomVersionId, events::room::member::MembershipState, server_name};
use selvedge_protocol::{auth::Rejection, room_version};

use super::fixture::{Fixture, content, txn, user};
use crate::{
    room::commit::{CommitError, NewEvent},
    rpc::room::LogPosition,
};

#[test]
fn a_room_of_every_version_can_be_made_and_talked_in() {
    for version in room_version::SUPPORTED {
        let fixture = Fixture::new(version.clone());
        fixture.join("alice");
        let id = fixture.message("alice", "hello");
        let event = fixture.event(&id);
        assert_eq!(event.pdu.content_str("body").as_deref(), Some("hello"), "{version}");
        let meta = fixture.room.store.meta().unwrap();
        assert_eq!(meta.extremities, vec![event.nid]);
        assert_eq!(meta.joined, 2);
        assert_eq!(event.position, Some(meta.last_position));
        assert_eq!(fixture.state().membership(&user("alice")).unwrap(), MembershipState::Join);
    }
}

#[test]
fn a_forbidden_event_names_its_rule_and_changes_nothing() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let before = fixture.room.store.meta().unwrap();
    let error =
        fixture.commit(NewEvent::message(user("stranger"), "m.room.message", "{}", None)).unwrap_err();
    assert!(matches!(error, CommitError::Forbidden(Rejection::SenderNotJoined)), "{error}");
    assert_eq!(fixture.room.store.meta().unwrap(), before);
}

#[test]
fn a_batch_is_committed_whole_or_not_at_all() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let before = fixture.room.store.meta().unwrap();
    let events = [
        NewEvent::message(user("creator"), "m.room.message", "{}", None),
        NewEvent::message(user("stranger"), "m.room.message", "{}", None),
    ];
    fixture.room.commit(&fixture.author(), &events).unwrap_err();
    assert_eq!(fixture.room.store.meta().unwrap(), before);
    assert!(
        fixture.room.store.log_last(LogPosition(u64::from(u32::MAX))).unwrap().unwrap().position
            == before.last_position
    );
}

#[test]
fn a_transaction_is_committed_once() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let event = NewEvent::message(user("creator"), "m.room.message", "{}", Some(txn("one")));
    let (first, _) = fixture.commit(event.clone()).unwrap();
    let (second, effects) = fixture.commit(event.clone()).unwrap();
    assert_eq!(first.event_id, second.event_id);
    assert!(second.is_repeated && effects.position.is_none());
    let other = NewEvent { event_type: "m.room.encrypted".to_owned(), ..event };
    assert_ne!(fixture.commit(other).unwrap().0.event_id, first.event_id);
    assert_eq!(fixture.event(&first.event_id).txn, Some(txn("one")));
}

#[test]
fn the_same_state_once_more_is_the_event_that_is_there() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let topic = |text: &str| {
        NewEvent::state(user("creator"), "m.room.topic", "", format!("{{ \"topic\": \"{text}\" }}"))
    };
    let first = fixture.send(topic("one"));
    assert_eq!(fixture.send(topic("one")), first);
    assert_ne!(fixture.send(topic("two")), first);
}

#[test]
fn membership_changes_of_local_users_are_told() {
    let fixture = Fixture::new(RoomVersionId::V11);
    let invite = NewEvent::state(user("creator"), "m.room.member", user("bob").as_str(), content("invite"));
    let (committed, effects) = fixture.commit(invite).unwrap();
    let change = &effects.memberships[0];
    assert_eq!(change.user_id, user("bob"));
    assert_eq!(Some(change.position), committed.position);
    assert_eq!(fixture.room.store.meta().unwrap().invited, 1);
    fixture.join("bob");
    let meta = fixture.room.store.meta().unwrap();
    assert_eq!((meta.joined, meta.invited), (2, 0));
    assert_eq!(fixture.room.store.joined_local("", 10).unwrap(), vec![user("bob"), user("creator")]);
    assert!(fixture.room.store.resident_servers("", 10).unwrap().is_empty());
    assert!(fixture.room.store.server(server_name!("selvedge.test")).unwrap().is_none());
}

#[test]
fn a_redacted_event_is_stored_pruned_and_names_its_redaction() {
    for version in [RoomVersionId::V1, RoomVersionId::V10, RoomVersionId::V11] {
        let fixture = Fixture::new(version);
        fixture.join("alice");
        let target = fixture.message("alice", "secret");
        let redaction = fixture.redact("creator", &target).unwrap();
        let event = fixture.event(&target);
        assert_eq!(event.pdu.content_json(), "{}");
        assert_eq!(event.redacted_by, Some(fixture.event(&redaction.event_id).nid));
        assert!(redaction.position.is_some());
    }
}

#[test]
fn a_redaction_needs_power_or_the_same_server() {
    let fixture = Fixture::new(RoomVersionId::V11);
    fixture.join("alice");
    let own = fixture.message("alice", "mine");
    fixture.redact("alice", &own).unwrap();
    assert_eq!(fixture.event(&own).pdu.content_json(), "{}");
}

#[test]
fn a_message_costs_at_most_six_rows_written_and_forty_read() {
    let fixture = Fixture::new(RoomVersionId::V11);
    fixture.join("alice");
    let cost = fixture.cost(|| {
        fixture.send(NewEvent::message(user("alice"), "m.room.message", "{}", Some(txn("x"))));
    });
    assert!(cost.rows_written <= 6 && cost.rows_read <= 40, "{cost:?}");
    let nodes = fixture.room.store.nodes_written();
    fixture.message("alice", "y");
    assert_eq!(fixture.room.store.nodes_written(), nodes);
}
