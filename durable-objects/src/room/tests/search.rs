//! What a search costs.

use ruma::RoomVersionId;

use super::fixture::{Fixture, user};
use crate::{
    room::commit::NewEvent,
    rpc::room::{Reader, SearchQuery, SearchRoom, TimelineFilter},
};

/// The rows that a search for a term reads in a room with so many messages, each of which has the word "often", and
/// every thousandth the word "rarely".
fn rows_read(messages: usize) -> Vec<u64> {
    let room = Fixture::new(RoomVersionId::V11);
    let events: Vec<_> = (1..=messages)
        .map(|number| {
            let word = if number % 1_000 == 0 { "rarely" } else { "often" };
            let content = format!("{{\"body\":\"often {word} {number}\",\"msgtype\":\"m.text\"}}");
            NewEvent::message(user("creator"), "m.room.message", content, None)
        })
        .collect();
    for events in events.chunks(500) {
        let _ = room.room.commit(&room.author(), events).unwrap();
    }
    let search = |term: &str, by_rank| {
        let command = SearchRoom {
            reader: Reader {
                user_id: user("creator"),
                device_id: "DEVICE".into(),
                ignored_users: Vec::new(),
            },
            query: SearchQuery { term: term.to_owned(), keys: Vec::new() },
            filter: TimelineFilter::default(),
            by_rank,
            from: None,
            limit: 10,
        };
        room.room.search_room(command).unwrap()
    };
    // The index is brought up to date by who searches first.
    assert_eq!(search("often", false).hits.len(), 10);
    let cost = |term: &str, by_rank| room.cost(|| drop(search(term, by_rank))).rows_read;
    vec![cost("often", false), cost("often", true), cost("rarely", false), cost("never", false)]
}

#[test]
fn a_search_reads_what_it_shows_however_much_there_is() {
    let (small, large) = (rows_read(1_000), rows_read(10_000));
    for (small, large) in small.iter().zip(&large) {
        // Ten results instead of one, of what is rare.
        assert!(*large <= small + 60, "{small} rows of 1,000 messages, {large} of 10,000");
    }
    assert!(large.iter().all(|rows| *rows <= 260), "{large:?}");
}
