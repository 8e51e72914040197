//! The events that a user has not read and is to be told of, by thread.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{room::threads::MAIN, rpc::room::LogPosition};

/// How many are kept. Of more, the latest are: clients show no larger numbers.
const MAX_EVENTS: usize = 1_000;

/// Such events, in the order of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    events: Vec<Unread>,
}

/// One such event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unread {
    #[serde(rename = "p")]
    position: LogPosition,
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    is_highlight: bool,
    /// The root of its thread; `None` for the main timeline.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
}

/// How many events of a thread there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub notifications: u64,
    /// Those of special interest.
    pub highlights: u64,
}

impl Count {
    fn add(&mut self, is_highlight: bool) {
        self.notifications = self.notifications.saturating_add(1);
        self.highlights = self.highlights.saturating_add(u64::from(is_highlight));
    }
}

/// Up to where a user has read: in all threads, and in single ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read(BTreeMap<String, LogPosition>);

impl Read {
    /// Notes a receipt; `thread` as receipts have it, empty for all threads.
    pub fn note(&mut self, thread: &str, up_to: LogPosition) {
        let known = self.0.entry(thread.to_owned()).or_default();
        *known = up_to.max(*known);
    }

    /// Up to where everything was read.
    pub fn everywhere(&self) -> LogPosition {
        self.0.get("").copied().unwrap_or_default()
    }

    /// Whether an event was read; `root` is that of its thread, `None` in the main timeline.
    pub fn covers(&self, position: LogPosition, root: Option<&str>) -> bool {
        let up_to = self.0.get(root.unwrap_or(MAIN)).copied().unwrap_or_default();
        position <= up_to.max(self.everywhere())
    }
}

impl Tally {
    /// Adds an event, later than all others.
    pub fn add(&mut self, position: LogPosition, root: Option<String>, is_highlight: bool) {
        if self.events.len() >= MAX_EVENTS {
            self.events.remove(0);
        }
        self.events.push(Unread { position, is_highlight, root });
    }

    /// Takes out what was read.
    pub fn forget_read(&mut self, read: &Read) {
        self.events.retain(|event| !read.covers(event.position, event.root.as_deref()));
    }

    /// Takes out an event, for it was redacted.
    pub fn forget(&mut self, position: LogPosition) {
        self.events.retain(|event| event.position != position);
    }

    /// Takes out a thread's events, for the user took part in it after them.
    pub fn forget_thread(&mut self, root: Option<&str>) {
        self.events.retain(|event| event.root.as_deref() != root);
    }

    /// How many events there are in all.
    pub fn total(&self) -> Count {
        let mut total = Count::default();
        for event in &self.events {
            total.add(event.is_highlight);
        }
        total
    }

    /// How many there are in the main timeline, and in each thread that has some.
    pub fn by_thread(&self) -> (Count, BTreeMap<&str, Count>) {
        let (mut main, mut threads) = (Count::default(), BTreeMap::<&str, Count>::new());
        for event in &self.events {
            let count = match &event.root {
                None => &mut main,
                Some(root) => threads.entry(root).or_default(),
            };
            count.add(event.is_highlight);
        }
        (main, threads)
    }
}
