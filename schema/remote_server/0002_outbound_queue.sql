-- What the server is still owed of each room's log.
CREATE TABLE room_cursor (
    room_id  TEXT PRIMARY KEY,
    sent     INTEGER NOT NULL, -- the log position up to which the server has everything
    ahead    INTEGER NOT NULL  -- the log position that the room told us of
) STRICT, WITHOUT ROWID;

-- EDUs that must arrive: to-device messages, device list and key updates, receipts [S-S §5].
CREATE TABLE outbound_edu (
    id       INTEGER PRIMARY KEY,
    edu_type TEXT NOT NULL,
    replaces TEXT UNIQUE,   -- a later EDU with the same value stands for this one; NULL for none
    content  TEXT NOT NULL  -- JSON
) STRICT;

-- The transaction in flight: kept until the server has answered, so that a repetition has the
-- same id and the same content. One row.
CREATE TABLE outbound_transaction (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    txn_id   TEXT NOT NULL,
    pdus     TEXT NOT NULL,    -- JSON array
    edus     TEXT NOT NULL,    -- JSON array
    cursors  TEXT NOT NULL,    -- JSON object: what `room_cursor.sent` becomes once it has arrived
    last_edu INTEGER NOT NULL, -- `outbound_edu` rows up to this id arrive with it
    sent_ts  INTEGER NOT NULL  -- milliseconds since the epoch
) STRICT;

-- Failures in a row, and when to try again. One row.
CREATE TABLE backoff (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    failures INTEGER NOT NULL,
    since_ts INTEGER NOT NULL, -- of the first failure, in milliseconds since the epoch
    retry_ts INTEGER NOT NULL
) STRICT;
