//! Events of other servers.

use ruma::{RoomVersionId, server_name};
use selvedge_protocol::{event::Pdu, nid::EventNid, room_version, state_tree::StateRoot};

use super::peer::{Peer, member};
use crate::{
    room::{
        commit::{ImportError, NewEvent, Outlier, Received},
        graph::{self, ServerView},
        state::State,
        store::Standing,
    },
    rpc::room::LogPosition,
};

#[test]
fn a_room_of_every_version_is_imported_and_goes_on() {
    for version in room_version::SUPPORTED {
        let a = Peer::creating("a.test", &version);
        a.message("creator", "before");
        let b = a.joined_by("b.test", "bob");
        assert_eq!(a.state(), b.state(), "{version}");
        assert_eq!(a.extremities(), b.extremities());
        let (meta_a, meta_b) = (a.room.store.meta().unwrap(), b.room.store.meta().unwrap());
        assert_eq!((meta_a.joined, meta_b.joined), (2, 2));
        assert_eq!(a.room.store.resident_servers("", 9).unwrap()[0].name, "b.test");
        assert_eq!(b.room.store.resident_servers("", 9).unwrap()[0].name, "a.test");

        let from_b = b.message("bob", "hello");
        assert!(matches!(a.receive(&from_b), Received::Accepted(Some(_))));
        assert_eq!(a.receive(&from_b), Received::Known);
        let from_a = a.state_event("creator", "m.room.topic", "", "{\"topic\":\"x\"}");
        assert!(matches!(b.receive(&from_a), Received::Accepted(Some(_))));
        assert_eq!(a.state(), b.state());
        assert_eq!(a.extremities(), b.extremities());
    }
}

#[test]
fn concurrent_changes_resolve_to_the_same_state_everywhere() {
    for version in [RoomVersionId::V1, RoomVersionId::V6, RoomVersionId::V11, RoomVersionId::V12] {
        let a = Peer::creating("a.test", &version);
        let b = a.joined_by("b.test", "bob");
        let levels = "{\"users\":{\"@bob:b.test\":50,\"@creator:a.test\":100}}";
        let levels = if version == RoomVersionId::V12 { "{\"users\":{\"@bob:b.test\":50}}" } else { levels };
        b.receive(&a.state_event("creator", "m.room.power_levels", "", levels));

        let at_a = a.state_event("creator", "m.room.topic", "", "{\"topic\":\"a\"}");
        let at_b = b.state_event("bob", "m.room.topic", "", "{\"topic\":\"b\"}");
        let name = b.state_event("bob", "m.room.name", "", "{\"name\":\"b\"}");
        assert!(matches!(b.receive(&at_a), Received::Accepted(_)));
        assert!(matches!(a.receive(&at_b), Received::Accepted(_)));
        assert!(matches!(a.receive(&name), Received::Accepted(_)));
        assert_eq!(a.state(), b.state(), "{version}");
        assert_eq!(a.extremities().len(), 2);
        assert_eq!(a.extremities(), b.extremities());

        let merge = a.message("creator", "merged");
        assert!(matches!(b.receive(&merge), Received::Accepted(_)));
        assert_eq!(b.extremities(), vec![merge.event_id().to_owned()]);
    }
}

#[test]
fn what_is_needed_first_is_named_and_nothing_is_written() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let first = a.message("creator", "one");
    let second = a.message("creator", "two");
    let before = b.room.store.meta().unwrap();
    let prevs = vec![first.event_id().to_owned()];
    assert_eq!(b.receive(&second), Received::Missing { prevs, auth: vec![] });
    assert_eq!(b.room.store.meta().unwrap(), before);
    assert!(b.standing(&second.event_id().to_owned()).is_none());
    b.receive(&first);
    assert!(matches!(b.receive(&second), Received::Accepted(_)));
}

#[test]
fn an_event_that_its_own_past_forbids_is_rejected() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    // A server that applies no rules: bob gives himself power.
    let forged = {
        let evil = a.joined_by("evil.test", "eve");
        let levels = evil.pdu(&evil.state()[&("m.room.power_levels".to_owned(), String::new())]);
        for peer in [&a, &b] {
            let join = evil.pdu(&evil.state()[&("m.room.member".to_owned(), "@eve:evil.test".to_owned())]);
            peer.receive(&join);
        }
        evil.forge("eve", "m.room.power_levels", Some(""), "{\"users\":{\"@eve:evil.test\":100}}", &levels)
    };
    let state = a.state();
    assert!(matches!(a.receive(&forged), Received::Rejected(_)));
    assert_eq!(a.state(), state);
    assert_eq!(a.standing(&forged.event_id().to_owned()), Some(Standing::Rejected));
    assert!(!a.log().contains(&forged.event_id().to_owned()));
    assert!(!a.extremities().contains(&forged.event_id().to_owned()));
}

#[test]
fn an_event_that_only_the_present_forbids_is_in_the_dag_and_not_shown() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let ban = a.state_event("creator", "m.room.member", "@bob:b.test", &member("ban"));
    // Sent before the ban came to b, or made to look so.
    let late = b.message("bob", "late");
    let state = a.state();
    assert!(matches!(a.receive(&late), Received::SoftFailed(_)));
    let id = late.event_id().to_owned();
    assert_eq!(a.standing(&id), Some(Standing::SoftFailed));
    assert!(!a.log().contains(&id) && !a.extremities().contains(&id));
    assert_eq!(a.state(), state);
    b.receive(&ban);
    assert_eq!(b.state(), state);
}

#[test]
fn what_follows_a_soft_failed_event_takes_the_place_of_what_came_before_it() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let c = b.joined_by("c.test", "carol");
    let carol = c.pdu(&c.state()[&("m.room.member".to_owned(), "@carol:c.test".to_owned())]);
    a.receive(&carol);
    let ban = a.state_event("creator", "m.room.member", "@bob:b.test", &member("ban"));
    let late = b.message("bob", "late");
    a.receive(&late);
    c.receive(&late);
    let after = c.message("carol", "after");
    assert!(matches!(a.receive(&after), Received::Accepted(_)));
    // The join of carol, which both the ban and bob's message follow, is no extremity.
    let mut expected = vec![ban.event_id().to_owned(), after.event_id().to_owned()];
    expected.sort();
    assert_eq!(a.extremities(), expected);
}

#[test]
fn a_redaction_waits_for_its_target_and_takes_effect_then() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let base = b.extremities();
    let target = a.message("creator", "secret");
    let redaction = a
        .commit(NewEvent {
            redacts: Some(target.event_id().to_owned()),
            ..NewEvent::message(a.user("creator"), "m.room.redaction", "{}", None)
        })
        .unwrap();
    // b learns of the redaction first, with the state before it.
    let root = State::current(&b.room.store).unwrap().root();
    assert_eq!(base.len(), 1);
    assert_eq!(b.receive_as(&redaction, false, Some(root)).unwrap(), Received::Accepted(None));
    assert!(!b.log().contains(&redaction.event_id().to_owned()));
    assert!(matches!(b.receive(&target), Received::Accepted(Some(_))));
    assert_eq!(b.pdu(&target.event_id().to_owned()).content_json(), "{}");
    let log = b.log();
    let at = |id: &ruma::EventId| log.iter().position(|known| known == id).unwrap();
    assert!(at(target.event_id()) < at(redaction.event_id()));
}

#[test]
fn a_redaction_by_one_without_power_is_never_shown() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let target = a.message("creator", "stays");
    b.receive(&target);
    let error = b.commit(NewEvent {
        redacts: Some(target.event_id().to_owned()),
        ..NewEvent::message(b.user("bob"), "m.room.redaction", "{}", None)
    });
    error.unwrap_err();
    let content = format!("{{\"redacts\":\"{}\"}}", target.event_id());
    let levels = b.pdu(&b.state()[&("m.room.power_levels".to_owned(), String::new())]);
    let forged = b.forge("bob", "m.room.redaction", None, &content, &levels);
    assert_eq!(a.receive(&forged), Received::Accepted(None));
    assert_eq!(a.pdu(&target.event_id().to_owned()).content_str("body").as_deref(), Some("stays"));
}

#[test]
fn history_goes_where_it_was_missing() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let mut messages: Vec<_> = (0..5).map(|n| a.message("creator", &n.to_string())).collect();
    let b = a.joined_by("b.test", "bob");
    let last = a.message("creator", "new");
    b.receive(&last);
    let end = b.room.store.meta().unwrap().last_position;
    let open = b.room.store.gap_in(LogPosition(0), end).unwrap().unwrap();
    let missing = b.room.store.backward_extremities(end, 10).unwrap();
    assert_eq!(missing, vec![messages[4].event_id().to_owned()]);

    // Two pages, each oldest first; the state before the oldest comes with it.
    for page in [messages.split_off(2), messages] {
        let (state, chain) = a.state_before(&page[0].event_id().to_owned());
        b.receive_outliers(&[state.clone(), chain].concat());
        let ids: Vec<_> = state.iter().map(|event| event.event_id().to_owned()).collect();
        let root = b.room.root_of(&b.server, &ids).unwrap().unwrap();
        let mut history: Vec<_> = page.into_iter().map(|pdu| (pdu, None)).collect();
        history[0].1 = Some(root);
        let received = b.receive_history(&history);
        assert!(received.iter().all(|it| matches!(it, Received::Accepted(Some(_)))), "{received:?}");
    }
    let expected: Vec<_> = a.log().into_iter().rev().take(7).rev().collect();
    assert_eq!(b.log(), expected);
    assert_eq!(b.room.store.meta().unwrap().last_position, end);
    assert!(b.room.store.gap(open.id).unwrap().free < open.free);
    assert_eq!(a.state(), b.state());
}

#[test]
fn history_behind_a_hidden_event_goes_before_what_follows_that() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let c = b.joined_by("c.test", "carol");
    a.receive(&c.pdu(&c.state()[&("m.room.member".to_owned(), "@carol:c.test".to_owned())]));
    a.state_event("creator", "m.room.member", "@bob:b.test", &member("ban"));
    let [lost, hidden] = [b.message("bob", "lost"), b.message("bob", "hidden")];
    for pdu in [&lost, &hidden] {
        c.receive(pdu);
    }
    // a hears of the second message alone, and lets it fail softly: nobody can page back from it.
    let ids: Vec<_> = b
        .state_before(&hidden.event_id().to_owned())
        .0
        .iter()
        .map(Pdu::event_id)
        .map(ToOwned::to_owned)
        .collect();
    let root = a.room.root_of(&a.server, &ids).unwrap().unwrap();
    assert!(matches!(a.receive_as(&hidden, false, Some(root)).unwrap(), Received::SoftFailed(_)));
    let end = |peer: &Peer| peer.room.store.meta().unwrap().last_position;
    assert!(a.room.store.backward_extremities(end(&a), 10).unwrap().is_empty());

    let after = c.message("carol", "after");
    assert!(matches!(a.receive(&after), Received::Accepted(Some(_))));
    let lost_id = lost.event_id().to_owned();
    assert_eq!(a.room.store.backward_extremities(end(&a), 10).unwrap(), vec![lost_id.clone()]);
    assert!(a.room.store.gap_in(LogPosition(0), end(&a)).unwrap().is_some());
    assert!(matches!(a.receive_history(&[(lost, None)])[..], [Received::Accepted(Some(_))]));
    assert!(a.log().ends_with(&[lost_id, after.event_id().to_owned()]));
    assert!(a.room.store.backward_extremities(end(&a), 10).unwrap().is_empty());
}

#[test]
fn history_that_nothing_leads_to_is_left_out() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let stray = a.message("creator", "stray");
    let root = State::current(&b.room.store).unwrap().root();
    assert_eq!(b.receive_history(&[(stray, Some(root))]), vec![Received::Unconnected]);
}

#[test]
fn an_import_may_be_begun_anew_and_a_room_joined_again() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let c = a.joined_by("c.test", "carol");
    a.receive(&c.state_event("carol", "m.room.member", "@carol:c.test", &member("leave")));
    a.receive(&b.message("bob", "meanwhile"));
    a.state_event("creator", "m.room.name", "", "{\"name\":\"other\"}");

    let join = a.make_join(&c, "carol");
    a.receive_as(&join, true, None).unwrap();
    let pieces = a.send_join_answer(&join, 3);
    c.room.begin_import(&c.server, join.room_id().to_owned(), c.version.clone()).unwrap();
    c.room.import(&c.server, &pieces[0]).unwrap();
    let c = c.restarted();
    c.import_from(&a, &join, 3);
    assert_eq!(c.state(), a.state());
    assert_eq!(c.extremities(), vec![join.event_id().to_owned()]);
    assert_eq!(c.room.store.meta().unwrap().joined, 3);
    assert_eq!(c.room.store.joined_local("", 9).unwrap(), vec![c.user("carol")]);
}

#[test]
fn an_import_takes_events_in_any_order() {
    for version in [RoomVersionId::V11, RoomVersionId::V12] {
        let a = Peer::creating("a.test", &version);
        a.state_event("creator", "m.room.topic", "", "{\"topic\":\"x\"}");
        let b = Peer::joining("b.test", &a);
        let join = a.make_join(&b, "bob");
        a.receive_as(&join, true, None).unwrap();
        b.room.begin_import(&b.server, join.room_id().to_owned(), version).unwrap();
        for mut piece in a.send_join_answer(&join, 4).into_iter().rev() {
            piece.state.reverse();
            piece.auth_chain.reverse();
            b.room.import(&b.server, &piece).unwrap();
        }
        let _ = b.room.finish_import(&b.server, &b.verified(&join), None).unwrap();
        assert_eq!(a.state(), b.state());
    }
}

#[test]
fn an_import_without_the_create_event_or_with_a_forbidden_join_fails() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let b = a.joined_by("b.test", "bob");
    let ban = a.state_event("creator", "m.room.member", "@carol:c.test", &member("ban"));
    let join = {
        let c = Peer::creating("c.test", &RoomVersionId::V11);
        let levels = a.pdu(&a.state()[&("m.room.power_levels".to_owned(), String::new())]);
        c.forge_in(&a, "carol", "m.room.member", Some("@carol:c.test"), &member("join"), &levels)
    };
    let c = Peer::joining("c.test", &a);
    c.room.begin_import(&c.server, join.room_id().to_owned(), c.version.clone()).unwrap();
    let error = c.room.finish_import(&c.server, &c.verified(&join), None).unwrap_err();
    assert!(matches!(error, ImportError::NoCreate));
    c.room.begin_import(&c.server, join.room_id().to_owned(), c.version.clone()).unwrap();
    let state = a.state().into_values().map(|id| a.verified(&a.pdu(&id))).collect();
    c.room.import(&c.server, &crate::room::commit::Piece { auth_chain: vec![], state }).unwrap();
    let error = c.room.finish_import(&c.server, &c.verified(&join), None).unwrap_err();
    assert!(matches!(error, ImportError::JoinForbidden(_)), "{error}");
    assert!(c.room.store.meta().unwrap().extremities.is_empty());
    drop((b, ban));
}

#[test]
fn outliers_are_taken_in_any_order_and_name_what_they_lack() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let c = Peer::joining("c.test", &a);
    let room_id = a.room.store.meta().unwrap().room_id.clone();
    c.room.begin_import(&c.server, room_id, c.version.clone()).unwrap();
    let state: Vec<_> = a.state().into_values().map(|id| a.pdu(&id)).collect();
    let lonely = state.iter().find(|pdu| pdu.event_type() == "m.room.power_levels").unwrap();
    assert!(
        matches!(&c.receive_outliers(std::slice::from_ref(lonely))[0], Outlier::Missing(ids) if ids.len() == 2)
    );
    let outcomes = c.receive_outliers(&state);
    assert!(
        outcomes.iter().all(|outcome| *outcome == Outlier::Stored { is_rejected: false }),
        "{outcomes:?}"
    );
}

#[test]
fn a_server_gets_what_the_history_visibility_lets_it_have() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    a.state_event("creator", "m.room.history_visibility", "", "{\"history_visibility\":\"joined\"}");
    let before = a.message("creator", "before");
    let b = a.joined_by("b.test", "bob");
    let after = a.message("creator", "after");
    let store = &a.room.store;
    let mut view = ServerView::new(store, server_name!("b.test"));
    let event = |pdu: &Pdu| store.find_event(pdu.event_id()).unwrap().unwrap();
    assert!(!view.shows(&event(&before)).unwrap());
    assert!(view.shows(&event(&after)).unwrap());
    drop(b);
}

#[test]
fn missing_events_lie_between_what_is_known_and_what_came() {
    let a = Peer::creating("a.test", &RoomVersionId::V11);
    let known = vec![a.message("creator", "known").event_id().to_owned()];
    let between: Vec<_> =
        (0..4).map(|n| a.message("creator", &n.to_string()).event_id().to_owned()).collect();
    let latest = vec![a.message("creator", "latest").event_id().to_owned()];
    let store = &a.room.store;
    let ids = |limit, min_depth| -> Vec<_> {
        let events = graph::missing_events(store, &known, &latest, min_depth, limit).unwrap();
        events.iter().map(|event| event.pdu.event_id().to_owned()).collect()
    };
    assert_eq!(ids(10, 0), between);
    assert_eq!(ids(2, 0), between[2..]);
    let depth = a.pdu(&between[3]).depth();
    assert_eq!(ids(10, depth), between[3..]);
    let walked = graph::backfill(store, &latest, 3).unwrap();
    assert_eq!(walked[0].pdu.event_id(), &latest[0]);
    assert_eq!(walked.len(), 3);
    assert_eq!(store.event_row(EventNid(1)).unwrap().states.unwrap().before, StateRoot::EMPTY);
}
