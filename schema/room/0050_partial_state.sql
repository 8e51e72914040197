-- A room that was joined before all of its state was here: the server that let us in left members out of its answer.
-- Everything that is taken in meanwhile is listed, to be decided anew once the state is here.

ALTER TABLE room ADD COLUMN is_partial INTEGER NOT NULL DEFAULT 0; -- 1: not all of the state is here
ALTER TABLE room ADD COLUMN whole_since INTEGER NOT NULL DEFAULT 0; -- position at which the state became whole, last; 0: it always was

-- The joins by which stays began, and the events since, in the order in which they were taken in.
CREATE TABLE partial_event (
    seq        INTEGER PRIMARY KEY,
    nid        INTEGER NOT NULL UNIQUE,
    begins     INTEGER NOT NULL, -- 1: a join with which a stay of this server began; what was before is history
    basis      INTEGER NOT NULL, -- the state before it: 0 follows from its previous events; 1 was told; 2 was told after those that were missing; 3 is to be fetched
    told       INTEGER,          -- root of what was told
    place      INTEGER NOT NULL, -- 0 end of the log and forward extremity; 1 end of the log; 2 elsewhere in the log; 3 outside of it
    is_partial INTEGER NOT NULL  -- 1: the state before it lacks members
) STRICT;

-- The servers that are said to take part. Each counts as one joined user more until the state is here.
CREATE TABLE partial_server (
    number INTEGER PRIMARY KEY, -- in this order they are asked
    name   TEXT NOT NULL UNIQUE
) STRICT;

-- How the fetching of the state goes. A row once it was tried.
CREATE TABLE partial_fetch (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    attempts INTEGER NOT NULL, -- how often it failed
    next_ts  INTEGER NOT NULL  -- when to try again, milliseconds
) STRICT;

-- Users who changed their devices meanwhile: of other servers those of whom it is not known whether they are joined.
CREATE TABLE partial_device_change (
    user_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The state that clients were shown at positions of the log, where it was another than the log now says.
CREATE TABLE shown_root (
    position INTEGER PRIMARY KEY,
    root     INTEGER NOT NULL
) STRICT;
