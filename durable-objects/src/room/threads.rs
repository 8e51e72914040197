//! Which thread an event belongs to `[C-S §11.6.1.2, threaded read receipts]`.

use ruma::OwnedEventId;
use selvedge_protocol::{event::Pdu, relations};

use super::store::Store;
use crate::database::DatabaseError;

/// The main timeline, as receipts and counts name it.
pub const MAIN: &str = "main";
/// How many relations are followed to a thread.
const MAX_HOPS: usize = 3;

/// The root of the thread that an event is in; `None` for the main timeline, where thread roots are too.
pub fn root_of(store: &Store, event: &Pdu) -> Result<Option<OwnedEventId>, DatabaseError> {
    if let Some(root) = relations::thread_root(event) {
        return Ok(Some(root));
    }
    let mut parent = relations::thread_parent(event);
    for _ in 0..MAX_HOPS {
        let Some(id) = parent else { return Ok(None) };
        let Some(event) = store.find_event(&id)? else { return Ok(None) };
        if let Some(root) = relations::thread_root(&event.pdu) {
            return Ok(Some(root));
        }
        parent = relations::thread_parent(&event.pdu);
    }
    Ok(None)
}

/// Whether a receipt for `thread` may be given at an event: it is in the thread, is its root, or relates to that.
pub fn may_hold_receipt(store: &Store, event: &Pdu, thread: &str) -> Result<bool, DatabaseError> {
    let root = root_of(store, event)?;
    if thread == MAIN {
        return Ok(root.is_none());
    }
    if root.is_some() {
        return Ok(root.is_some_and(|root| root == thread));
    }
    let mut id = event.event_id().to_owned();
    let mut parent = relations::thread_parent(event);
    for _ in 0..MAX_HOPS {
        if id == thread {
            return Ok(true);
        }
        let Some(next) = parent else { break };
        parent = store.find_event(&next)?.and_then(|event| relations::thread_parent(&event.pdu));
        id = next;
    }
    Ok(id == thread)
}
