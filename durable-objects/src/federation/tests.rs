//! Requests to other servers.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use std::{cell::Cell, rc::Rc};

use http::Method;

use crate::{
    platform::{self, FetchError, OutboundRequest, OutboundResponse},
    testing::World,
};

/// How often a server is asked that fails so the first times, and whether it answers in the end.
fn attempts(method: Method, failures: Vec<FetchError>) -> (usize, bool) {
    let world = World::new();
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    world.connect(move |_| {
        let index = count.replace(count.get() + 1);
        match failures.get(index) {
            Some(error) => Err(error.clone()),
            None => Ok(OutboundResponse { status: 200, headers: Vec::new(), body: Vec::new() }),
        }
    });
    let request = OutboundRequest {
        method,
        url: "https://b.test:8448/".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout_ms: 1_000,
        max_bytes: 1_000,
        follow_redirects: false,
    };
    let outcome = world.block_on(platform::fetch(world.platform().as_ref(), request));
    (asked.get(), outcome.is_ok())
}

const LOST: FetchError = FetchError::Failed(String::new());

#[test]
fn a_question_on_a_lost_connection_is_asked_once_more() {
    assert_eq!(attempts(Method::GET, vec![]), (1, true));
    assert_eq!(attempts(Method::GET, vec![LOST]), (2, true));
    assert_eq!(attempts(Method::GET, vec![LOST, LOST]), (2, false));
}

#[test]
fn what_is_too_slow_or_too_large_or_changes_something_is_asked_for_once() {
    assert_eq!(attempts(Method::GET, vec![FetchError::TimedOut]), (1, false));
    assert_eq!(attempts(Method::GET, vec![FetchError::TooLarge]), (1, false));
    assert_eq!(attempts(Method::PUT, vec![LOST]), (1, false));
}
