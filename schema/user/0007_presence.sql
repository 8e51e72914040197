-- How the user appears to others [C-S §11.8]. One row, made when they first appear.
CREATE TABLE presence (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    state          TEXT NOT NULL,   -- "online", "unavailable" or "offline"
    status_msg     TEXT,
    cause          TEXT NOT NULL,   -- what set the state: "client", "sync", or "idle" for this server itself
    last_active_ts INTEGER NOT NULL -- when the user last did something, in milliseconds since the epoch; may lag behind
) STRICT;
