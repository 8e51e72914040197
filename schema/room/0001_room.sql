-- One room: its event DAG, its state as trees, its log.
--
-- Events and state keys have small numbers (nids) that mean nothing outside this database. Positions
-- of the log are the only order that followers know.

-- The room itself: one row, made with the create event or at the start of an import.
CREATE TABLE room (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    room_id         TEXT NOT NULL,
    version         TEXT NOT NULL,    -- room version
    create_nid      INTEGER,          -- the m.room.create event; NULL until it is there
    last_nid        INTEGER NOT NULL, -- the largest event nid given out
    last_position   INTEGER NOT NULL, -- the log's end; 0 while the log is empty
    extremities     BLOB NOT NULL,    -- forward extremities: nids, 4 bytes each, little-endian
    root            INTEGER NOT NULL, -- the current state
    joined          INTEGER NOT NULL, -- how many users are joined in the current state
    invited         INTEGER NOT NULL, -- how many users are invited in the current state
    horizon         INTEGER NOT NULL, -- depth at which this server's knowledge begins: of the create event, or of its join
    woken_position  INTEGER NOT NULL, -- up to where all followers were woken
    import_root     INTEGER           -- the state gathered so far by an import under way; NULL when none is
) STRICT;

-- Every event that is stored, whatever was decided about it.
CREATE TABLE event (
    nid          INTEGER PRIMARY KEY,
    event_id     TEXT NOT NULL UNIQUE,
    sender       TEXT NOT NULL,
    type         TEXT NOT NULL,
    key          INTEGER,          -- nid of (type, state_key); NULL for events that are not state
    membership   TEXT,             -- of an m.room.member
    ts           INTEGER NOT NULL, -- origin_server_ts, milliseconds
    depth        INTEGER NOT NULL,
    generation   INTEGER NOT NULL, -- 1 + the largest generation among the auth events, 0 without any
    auth_events  BLOB NOT NULL,    -- nids, 4 bytes each, little-endian
    standing     INTEGER NOT NULL, -- 0 accepted, 1 soft-failed, 2 rejected, 3 not checked yet (import)
    rejection    TEXT,             -- the rule that a rejected or soft-failed event broke
    position     INTEGER,          -- where it is in the log; NULL when it is not
    state_before INTEGER,          -- root of the state before it; NULL for an outlier
    state_after  INTEGER,          -- root of the state after it; NULL for an outlier
    redacted_by  INTEGER,          -- nid of the redaction that was applied to it
    txn          TEXT,             -- "DEVICE TXN": the transaction by which a local client sent it
    json         TEXT NOT NULL     -- canonical JSON without unsigned; the redacted form once redacted
) STRICT;
CREATE UNIQUE INDEX event_txn ON event (sender, txn, type) WHERE txn IS NOT NULL;

-- Events with standing 3.
CREATE TABLE unchecked (
    nid INTEGER PRIMARY KEY
) STRICT;

-- (type, state_key) pairs that occur in the room.
CREATE TABLE state_key (
    nid       INTEGER PRIMARY KEY,
    type      TEXT NOT NULL,
    state_key TEXT NOT NULL,
    UNIQUE (type, state_key)
) STRICT;

-- Nodes of the state trees; never changed.
CREATE TABLE state_node (
    id   INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- Which state events have which event in their auth_events (other than the create event).
CREATE TABLE auth_citer (
    cited INTEGER NOT NULL, -- event nid
    citer INTEGER NOT NULL, -- event nid
    PRIMARY KEY (cited, citer)
) STRICT, WITHOUT ROWID;

-- The log: what followers of the room need, in order.
CREATE TABLE log (
    position  INTEGER PRIMARY KEY,
    kind      INTEGER NOT NULL, -- 0 event, 1 receipt
    nid       INTEGER,          -- the event, for kind 0
    root      INTEGER NOT NULL, -- the room's state after this entry (for history that was fetched: after its event)
    broadcast INTEGER NOT NULL, -- 1 when this server is the one that must give the entry to other servers
    subject   TEXT              -- what an entry of another kind is about
) STRICT;

-- Stretches of history that are not here: below a position, above the entry before it.
CREATE TABLE gap (
    id   INTEGER PRIMARY KEY, -- position of the first event after the gap, when it was made
    free INTEGER NOT NULL     -- the largest position in the gap that is free
) STRICT;

-- Backward extremities: events named in prev_events that are not here, or only as outliers.
CREATE TABLE missing_prev (
    event_id TEXT NOT NULL,
    child    INTEGER NOT NULL, -- nid of the event that names it
    gap      INTEGER,          -- gap it belongs into; NULL when the child is not in the log
    PRIMARY KEY (event_id, child)
) STRICT, WITHOUT ROWID;

-- Redactions whose target is not here yet.
CREATE TABLE pending_redaction (
    target    TEXT NOT NULL,    -- event id
    redaction INTEGER NOT NULL, -- nid
    broadcast INTEGER NOT NULL, -- 0: other servers were given it at once
    PRIMARY KEY (target, redaction)
) STRICT, WITHOUT ROWID;

-- Events of the log that relate to another.
CREATE TABLE relation (
    parent     TEXT NOT NULL,    -- event id
    rel_type   TEXT NOT NULL,
    position   INTEGER NOT NULL, -- of the child
    child      INTEGER NOT NULL, -- nid
    event_type TEXT NOT NULL,    -- of the child
    sender     TEXT NOT NULL,    -- of the child
    key        TEXT,             -- of an annotation
    count      INTEGER,          -- on the last row of a thread: how many there are
    PRIMARY KEY (parent, rel_type, position)
) STRICT, WITHOUT ROWID;

-- Users of this server who have written in a thread.
CREATE TABLE thread_participant (
    root    TEXT NOT NULL, -- event id
    user_id TEXT NOT NULL,
    PRIMARY KEY (root, user_id)
) STRICT, WITHOUT ROWID;

-- Users of this server that have a membership in the current state.
CREATE TABLE local_member (
    user_id    TEXT PRIMARY KEY,
    membership TEXT NOT NULL,
    nid        INTEGER,          -- the member event; NULL when state resolution took it away
    position   INTEGER NOT NULL  -- the log's end when it became current
) STRICT, WITHOUT ROWID;

-- Other servers that have, or had, joined users.
CREATE TABLE server (
    name   TEXT PRIMARY KEY,
    joined INTEGER NOT NULL, -- how many of its users are joined in the current state
    since  INTEGER NOT NULL, -- position at which it came, last
    until  INTEGER           -- position at which its last user left; NULL while it is there
) STRICT, WITHOUT ROWID;
