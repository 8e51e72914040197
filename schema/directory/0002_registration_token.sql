-- Tokens that allow registration [C-S §5.7.1, m.login.registration_token].
CREATE TABLE registration_token (
    token        TEXT PRIMARY KEY,
    uses_allowed INTEGER,          -- NULL: without limit
    completed    INTEGER NOT NULL, -- how many accounts were registered with it
    expiry_ts    INTEGER           -- milliseconds since the epoch; NULL: never
) STRICT, WITHOUT ROWID;

-- Registrations under way: each holds one use until it is settled, or too old.
CREATE TABLE registration_hold (
    id         INTEGER PRIMARY KEY,
    token      TEXT NOT NULL REFERENCES registration_token (token) ON DELETE CASCADE,
    created_ts INTEGER NOT NULL -- milliseconds since the epoch
) STRICT;
