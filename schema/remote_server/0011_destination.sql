-- Whether the directory knows that something was sent to this server. One row, once it does.
CREATE TABLE listed (
    id INTEGER PRIMARY KEY CHECK (id = 1)
) STRICT;

-- Of the last failure, in milliseconds since the epoch.
ALTER TABLE backoff ADD COLUMN last_ts INTEGER NOT NULL DEFAULT 0;
