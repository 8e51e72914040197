#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::rc::Rc;

use ruma::{
    OwnedRoomId, RoomId,
    directory::{Filter, PublicRoomsChunk, PublicRoomsChunkInit, RoomNetwork, RoomTypeFilter},
    room::RoomType,
};

use super::{Position, store};
use crate::{
    database::{Database, NativeDatabase},
    directory::DirectoryEngine,
    engine::Engine,
    migrations::migrate,
};

fn database() -> Rc<dyn Database> {
    let db = NativeDatabase::in_memory().unwrap();
    migrate(&db, DirectoryEngine::MIGRATIONS).unwrap();
    Rc::new(db)
}

fn room(name: &str, members: u32) -> PublicRoomsChunk {
    let room_id = OwnedRoomId::try_from(format!("!{name}:example.org")).unwrap();
    let mut chunk = PublicRoomsChunk::from(PublicRoomsChunkInit {
        num_joined_members: members.into(),
        room_id,
        world_readable: false,
        guest_can_join: false,
    });
    chunk.name = Some(name.to_owned());
    chunk
}

fn publish(db: &dyn Database, network: &str, chunk: &PublicRoomsChunk) {
    store::insert(db, &chunk.room_id).unwrap();
    store::clear_changed(db, std::slice::from_ref(&chunk.room_id)).unwrap();
    store::update(db, chunk).unwrap();
    store::add_publication(db, network, &chunk.room_id).unwrap();
}

fn names(
    db: &dyn Database,
    filter: &Filter,
    room_network: &RoomNetwork,
    since: Option<&Position>,
) -> Vec<String> {
    let query = store::PageQuery { filter, room_network, since, limit: 10 };
    store::page(db, &query).unwrap().into_iter().map(|room| room.name.unwrap()).collect()
}

#[test]
fn rooms_come_by_their_members_and_pages_join_without_gap_or_overlap() {
    let db = database();
    for (name, members) in [("a", 3), ("b", 7), ("c", 3), ("d", 1)] {
        publish(db.as_ref(), "", &room(name, members));
    }
    let all = names(db.as_ref(), &Filter::new(), &RoomNetwork::Matrix, None);
    assert_eq!(all, ["b", "c", "a", "d"]);
    let after_c = Position::parse("n.3.!c:example.org").unwrap();
    assert_eq!(names(db.as_ref(), &Filter::new(), &RoomNetwork::Matrix, Some(&after_c)), ["a", "d"]);
    let before_a = Position::parse("p.3.!a:example.org").unwrap();
    assert_eq!(names(db.as_ref(), &Filter::new(), &RoomNetwork::Matrix, Some(&before_a)), ["c", "b"]);
}

#[test]
fn a_search_matches_part_of_the_name_in_any_case() {
    let db = database();
    publish(db.as_ref(), "", &room("The Grand Duke", 1));
    publish(db.as_ref(), "", &room("other", 1));
    let mut filter = Filter::new();
    filter.generic_search_term = Some("grand".to_owned());
    assert_eq!(names(db.as_ref(), &filter, &RoomNetwork::Matrix, None), ["The Grand Duke"]);
}

#[test]
fn room_types_tell_spaces_from_rooms_without_type() {
    let db = database();
    let mut space = room("space", 1);
    space.room_type = Some(RoomType::Space);
    publish(db.as_ref(), "", &space);
    publish(db.as_ref(), "", &room("plain", 1));
    let mut filter = Filter::new();
    filter.room_types = vec![RoomTypeFilter::Space];
    assert_eq!(names(db.as_ref(), &filter, &RoomNetwork::Matrix, None), ["space"]);
    filter.room_types = vec![RoomTypeFilter::Default];
    assert_eq!(names(db.as_ref(), &filter, &RoomNetwork::Matrix, None), ["plain"]);
}

#[test]
fn a_third_party_network_has_a_list_of_its_own() {
    let db = database();
    publish(db.as_ref(), "", &room("here", 1));
    publish(db.as_ref(), "irc", &room("there", 1));
    let third_party = RoomNetwork::ThirdParty("irc".to_owned());
    assert_eq!(names(db.as_ref(), &Filter::new(), &RoomNetwork::Matrix, None), ["here"]);
    assert_eq!(names(db.as_ref(), &Filter::new(), &third_party, None), ["there"]);
    assert_eq!(names(db.as_ref(), &Filter::new(), &RoomNetwork::All, None), ["there", "here"]);
    assert_eq!(store::count(db.as_ref(), &RoomNetwork::All).unwrap(), 2);
}

#[test]
fn a_replaced_room_hands_its_place_to_the_new_one() {
    let db = database();
    let old = room("old", 4);
    publish(db.as_ref(), "", &old);
    let new = <&RoomId>::try_from("!new:example.org").unwrap();
    store::replace(db.as_ref(), &old.room_id, new).unwrap();
    assert!(store::is_published(db.as_ref(), "", new).unwrap());
    assert!(!store::is_published(db.as_ref(), "", &old.room_id).unwrap());
    assert_eq!(store::changed(db.as_ref(), 10).unwrap(), [new.to_owned()]);
}
