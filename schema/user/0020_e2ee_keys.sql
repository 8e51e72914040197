-- Identity keys of devices as their clients uploaded them, with the user's own signatures that came later [C-S §11.15].
CREATE TABLE device_keys (
    device_id TEXT PRIMARY KEY REFERENCES device (device_id) ON DELETE CASCADE,
    keys      TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

-- One-time keys that nobody has claimed, in the order in which they came.
CREATE TABLE one_time_key (
    device_id TEXT NOT NULL REFERENCES device (device_id) ON DELETE CASCADE,
    algorithm TEXT NOT NULL,
    number    INTEGER NOT NULL,
    key_id    TEXT NOT NULL,   -- without the algorithm
    key       TEXT NOT NULL,   -- JSON
    PRIMARY KEY (device_id, algorithm, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX one_time_key_by_id ON one_time_key (device_id, algorithm, key_id);

-- How many there are, so that a sync need not count them.
CREATE TABLE one_time_key_count (
    device_id TEXT NOT NULL REFERENCES device (device_id) ON DELETE CASCADE,
    algorithm TEXT NOT NULL,
    count     INTEGER NOT NULL,
    PRIMARY KEY (device_id, algorithm)
) STRICT, WITHOUT ROWID;

-- What is handed out when there are none; it is not used up.
CREATE TABLE fallback_key (
    device_id TEXT NOT NULL REFERENCES device (device_id) ON DELETE CASCADE,
    algorithm TEXT NOT NULL,
    key_id    TEXT NOT NULL,
    key       TEXT NOT NULL,    -- JSON
    is_used   INTEGER NOT NULL, -- 1: it was handed out
    PRIMARY KEY (device_id, algorithm)
) STRICT, WITHOUT ROWID;

-- The user's cross-signing keys, with the user's own signatures [C-S §11.15.2].
CREATE TABLE cross_signing_key (
    usage TEXT PRIMARY KEY, -- "master", "self_signing" or "user_signing"
    key   TEXT NOT NULL     -- JSON
) STRICT, WITHOUT ROWID;

-- The user's signatures of other users' master keys, which only the user sees.
CREATE TABLE signature_of_other (
    user_id    TEXT NOT NULL, -- whose key
    target     TEXT NOT NULL, -- the public key that is signed
    key_id     TEXT NOT NULL, -- of the user's key that signs
    signature  TEXT NOT NULL,
    position   INTEGER NOT NULL, -- of the sync stream, at which it came
    PRIMARY KEY (user_id, target, key_id)
) STRICT, WITHOUT ROWID;

-- When the user's devices or cross-signing keys last changed. One row, made at the first change.
CREATE TABLE device_list (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,       -- of the sync stream, at the last change
    device_position INTEGER NOT NULL -- at the last change of a device: for other servers the stream id; 0: none
) STRICT;

-- Changes that rooms and other servers are still to be told.
CREATE TABLE device_list_news (
    position  INTEGER PRIMARY KEY, -- of the sync stream
    previous  INTEGER NOT NULL,    -- position of the change of a device before it; 0: none
    device_id TEXT                 -- NULL: the cross-signing keys changed
) STRICT;
