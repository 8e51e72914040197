//! All SQL of a room. [`Store`] reads; [`Writer`], which only [`Store::write`] makes, also writes, in
//! one transaction.

mod cache;
mod catalogue;
mod device_list;
mod edges;
mod events;
mod guests;
mod import_token;
mod keys;
mod listing;
mod log;
mod media;
mod members;
mod meta;
mod nodes;
mod partial;
mod policy;
mod receipts;
mod relations;
mod txn;
mod unread;
mod user_directory;

use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    rc::Rc,
};

use ruma::room_version_rules::RoomVersionRules;
use selvedge_protocol::{
    nid::{EventNid, StateKeyNid},
    state_tree::Node,
};

use self::cache::Cache;
pub use self::{
    catalogue::{Found, Words},
    edges::{Gap, MissingPrev},
    events::{Decision, EventRow, NewRow, Standing, States, StoredEvent},
    keys::StateKey,
    listing::Listing,
    log::{LogEntry, LogKind, NewEntry},
    members::{LocalMember, MemberRow, ResidentServer},
    meta::RoomMeta,
    partial::{Basis, FetchProgress, PartialEvent, PlaceTaken},
    receipts::Receipt,
    relations::{Children, RelationRow},
    txn::Txn,
};
use crate::database::{DatabaseError, DatabaseExt, Db};

/// How much parsed events a room keeps in memory, in bytes of JSON.
const EVENT_CACHE: usize = 512 * 1024;
/// How much of the state trees a room keeps in memory, in bytes.
const NODE_CACHE: usize = 512 * 1024;
/// How many state keys a room keeps in memory.
const KEY_CACHE: usize = 1024;

/// Reads a room's database. Cloning copies a pointer.
#[derive(Clone)]
pub struct Store {
    inner: Rc<Inner>,
}

struct Inner {
    db: Db,
    rules: RefCell<Option<Rc<RoomVersionRules>>>,
    meta: RefCell<Option<Rc<RoomMeta>>>,
    events: RefCell<Cache<EventNid, Rc<StoredEvent>>>,
    nodes: RefCell<Cache<u32, Node>>,
    keys: RefCell<Cache<(String, String), StateKeyNid>>,
    policy: RefCell<policy::Remembered>,
    /// How many tree nodes were written, for benches.
    nodes_written: Cell<u64>,
}

impl Store {
    /// The store of a room in a migrated database.
    pub fn new(db: Db) -> Self {
        Self {
            inner: Rc::new(Inner {
                db,
                rules: RefCell::default(),
                meta: RefCell::default(),
                events: RefCell::new(Cache::new(EVENT_CACHE)),
                nodes: RefCell::new(Cache::new(NODE_CACHE)),
                keys: RefCell::new(Cache::new(KEY_CACHE)),
                policy: RefCell::default(),
                nodes_written: Cell::new(0),
            }),
        }
    }

    /// Runs `body` in one transaction: when it errs, nothing was written.
    pub fn write<T, E: From<DatabaseError>>(
        &self,
        body: impl FnOnce(&mut Writer<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let outcome = self.inner.db.transaction(|| body(&mut Writer { store: self }));
        if outcome.is_err() {
            self.forget();
        }
        outcome
    }

    /// Forgets what was cached: it may never have been committed.
    fn forget(&self) {
        *self.inner.meta.borrow_mut() = None;
        *self.inner.rules.borrow_mut() = None;
        self.inner.events.borrow_mut().clear();
        self.inner.nodes.borrow_mut().clear();
        self.inner.keys.borrow_mut().clear();
        *self.inner.policy.borrow_mut() = None;
    }

    /// How many state tree nodes were written since the store was made.
    pub fn nodes_written(&self) -> u64 {
        self.inner.nodes_written.get()
    }

    fn db(&self) -> &dyn crate::database::Database {
        self.inner.db.as_ref()
    }
}

/// Reads and writes a room's database, within a transaction.
pub struct Writer<'a> {
    store: &'a Store,
}

impl Writer<'_> {
    /// The store, where a method of the writer's has the same name.
    pub fn stored(&self) -> &Store {
        self.store
    }
}

impl Deref for Writer<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store
    }
}

/// Packs nids, 4 bytes each.
fn pack(nids: &[EventNid]) -> Vec<u8> {
    nids.iter().flat_map(|nid| nid.0.to_le_bytes()).collect()
}

/// Unpacks what [`pack`] packed.
fn unpack(bytes: &[u8]) -> Result<Vec<EventNid>, DatabaseError> {
    let chunks = bytes.chunks_exact(4);
    if !chunks.remainder().is_empty() {
        return Err(DatabaseError::corrupt("a list of nids has a broken length"));
    }
    Ok(chunks.map(|chunk| EventNid(chunk.try_into().map_or(0, u32::from_le_bytes))).collect())
}
