use ruma::{OwnedUserId, RoomVersionId};

use super::fixture::{Fixture, user};
use crate::rpc::room::{GetDeviceLists, LogPosition};

fn end(fixture: &Fixture) -> LogPosition {
    fixture.room.store.meta().unwrap().last_position
}

/// Whom a client of alice's need not follow any more that says that it has seen the room up to `from`.
fn left(fixture: &Fixture, from: LogPosition) -> Vec<OwnedUserId> {
    let command = GetDeviceLists { user_id: user("alice"), from: Some(from), before: None };
    fixture.room.get_device_lists(command).unwrap().left
}

#[test]
fn who_is_out_does_not_learn_who_came_later_whatever_their_token_says() {
    let fixture = Fixture::new(RoomVersionId::V11);
    fixture.member("creator", "alice", "invite").unwrap();
    let invited = end(&fixture);
    fixture.member("alice", "alice", "leave").unwrap();
    assert_eq!(left(&fixture, invited), [] as [OwnedUserId; 0], "who was never in the room");
    fixture.join("alice");
    let joined = end(&fixture);
    fixture.member("alice", "alice", "leave").unwrap();
    assert_eq!(left(&fixture, joined), [user("creator")]);
    fixture.join("late");
    assert_eq!(left(&fixture, end(&fixture)), [] as [OwnedUserId; 0]);
    fixture.member("creator", "alice", "ban").unwrap();
    assert_eq!(left(&fixture, joined), [user("creator")]);
}
