-- Who this user is to the server. One row once the account exists.
CREATE TABLE account (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    kind          TEXT NOT NULL,             -- "user" or "guest"
    password_hash TEXT,                      -- argon2id, PHC string; NULL: no log-in by password
    is_admin      INTEGER NOT NULL,          -- 1: may administer the server
    created_ts    INTEGER NOT NULL,          -- milliseconds since the epoch
    is_locked     INTEGER NOT NULL DEFAULT 0, -- 1: nothing but logging out [C-S §5.6.1]
    is_suspended  INTEGER NOT NULL DEFAULT 0, -- 1: no joining, inviting, sending [C-S §5.6.2]
    deactivated_ts INTEGER,                  -- when it was closed for ever; NULL while it is open
    failed_log_ins INTEGER NOT NULL DEFAULT 0 -- the bucket of wrong passwords: when it is full again
) STRICT;

-- The user's devices [C-S §11.12]. Tables that hold what dies with a device refer to it.
CREATE TABLE device (
    device_id       TEXT PRIMARY KEY,
    display_name    TEXT,
    created_ts      INTEGER NOT NULL, -- milliseconds since the epoch
    last_seen_ts    INTEGER NOT NULL, -- written rarely: it may be an hour behind
    last_seen_ip    TEXT NOT NULL,
    last_user_agent TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Access tokens with their refresh tokens, as SHA-256.
CREATE TABLE session (
    access_hash  BLOB PRIMARY KEY,
    device_id    TEXT NOT NULL REFERENCES device (device_id) ON DELETE CASCADE,
    expires_ts   INTEGER,             -- when the access token expires; NULL: never
    refresh_hash BLOB,                -- NULL: cannot be refreshed
    replaces     BLOB                 -- the session it was refreshed from, until this one is used
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX session_by_refresh ON session (refresh_hash) WHERE refresh_hash IS NOT NULL;
