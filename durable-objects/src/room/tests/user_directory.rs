//! Users of other servers in the user directory.

use ruma::RoomVersionId;

use super::peer::Peer;
use crate::{rpc::room::SearchMembers, testing::SERVER_NAME};

fn find(peer: &Peer, asker: &str, term: &str) -> Vec<String> {
    let command = SearchMembers { user_id: peer.user(asker), term: term.to_owned(), limit: 10 };
    let found = peer.room.search_members(command).unwrap();
    found.into_iter().map(|entry| entry.display_name.unwrap_or_default()).collect()
}

#[test]
fn members_of_other_servers_are_found_as_they_are_now() {
    let here = Peer::creating(SERVER_NAME, &RoomVersionId::V11);
    let there = here.joined_by("b.test", "bob");
    let member = |name: &str, membership: &str| {
        let content = format!(r#"{{"displayname":"{name}","membership":"{membership}"}}"#);
        here.receive(&there.state_event("bob", "m.room.member", "@bob:b.test", &content));
    };
    member("Robert", "join");
    assert_eq!(find(&here, "creator", "rob"), ["Robert"]);
    assert_eq!(find(&here, "creator", "@bob"), ["Robert"]);
    // Users of this server are not found by what they are called in a room.
    assert_eq!(find(&here, "creator", "creator"), [""; 0]);
    member("Bert", "join");
    assert_eq!(find(&here, "creator", "robert"), [""; 0]);
    assert_eq!(find(&here, "creator", "bert"), ["Bert"]);
    member("Bert", "leave");
    assert_eq!(find(&here, "creator", "bert"), [""; 0]);
}

#[test]
fn who_is_not_in_a_room_finds_nobody_in_it_unless_it_is_open() {
    let here = Peer::creating(SERVER_NAME, &RoomVersionId::V11);
    here.joined_by("b.test", "bob");
    assert_eq!(find(&here, "stranger", "bob").len(), 1);
    here.state_event("creator", "m.room.join_rules", "", r#"{"join_rule":"invite"}"#);
    assert_eq!(find(&here, "stranger", "bob").len(), 0);
    assert_eq!(find(&here, "creator", "bob").len(), 1);
}
