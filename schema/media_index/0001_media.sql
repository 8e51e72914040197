-- What content the bucket has: uploads of this server's users, and copies of other servers' media. The bytes are in the bucket.
CREATE TABLE media (
    server         TEXT NOT NULL,     -- whose media it is
    media_id       TEXT NOT NULL,
    uploader       TEXT,              -- localpart of the user who uploaded it here; NULL: another server's, or of a URL preview
    created_ts     INTEGER NOT NULL,  -- when it came here, in milliseconds since the epoch
    last_access_ts INTEGER,           -- when it was last asked for, within a few hours; NULL: never
    bytes          INTEGER NOT NULL,
    content_type   TEXT,
    file_name      TEXT,
    is_open        INTEGER NOT NULL,  -- 1: the deprecated paths serve it to everyone
    quarantined_by TEXT,              -- the administrator who withdrew it; NULL: it is served
    is_protected   INTEGER NOT NULL,  -- 1: it cannot be quarantined
    PRIMARY KEY (server, media_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX media_by_uploader ON media (uploader, created_ts) WHERE uploader IS NOT NULL;

-- What is to be done in the bucket, decided already: the table above shows it as done.
CREATE TABLE chore (
    server   TEXT NOT NULL,
    media_id TEXT NOT NULL,
    kind     TEXT NOT NULL,  -- "remove", "hide" or "show"
    uploader TEXT,           -- to be told that it was removed
    PRIMARY KEY (server, media_id)
) STRICT, WITHOUT ROWID;
