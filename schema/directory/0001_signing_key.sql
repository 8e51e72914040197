-- The server's own Ed25519 signing keys [S-S §3.1].
CREATE TABLE signing_key (
    version    TEXT PRIMARY KEY, -- the part of the key id after "ed25519:"
    seed       BLOB NOT NULL,    -- 32 bytes, secret
    created_ts INTEGER NOT NULL, -- milliseconds since the epoch
    expired_ts INTEGER           -- when another key took over; NULL for the key that signs
) STRICT, WITHOUT ROWID;
