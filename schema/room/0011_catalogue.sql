-- The catalogue: by what events are found other than by position. It follows the log, some way behind; who reads it
-- brings it up to date first.

-- Up to which position of the log the catalogue goes. A row once it was begun.
CREATE TABLE catalogue (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL
) STRICT;

-- Events by the time at which their servers say that they made them.
CREATE TABLE dated_event (
    ts       INTEGER NOT NULL, -- origin_server_ts, milliseconds
    position INTEGER NOT NULL,
    PRIMARY KEY (ts, position)
) STRICT, WITHOUT ROWID;

-- Threads by their last event.
CREATE TABLE thread (
    root   TEXT PRIMARY KEY, -- event id
    latest INTEGER NOT NULL  -- position of the last event of the thread
) STRICT, WITHOUT ROWID;
CREATE INDEX thread_by_latest ON thread (latest);

-- The words of messages, room names and topics; rowid is the event's position. Holds no text.
CREATE VIRTUAL TABLE words USING fts5 (
    body, name, topic, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
