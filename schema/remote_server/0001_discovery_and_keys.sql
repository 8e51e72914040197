-- Where the server is reached [S-S §2.1]. One row.
CREATE TABLE resolution (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    base_url   TEXT,             -- "https://host:port"; NULL when it cannot be reached
    reason     TEXT,             -- why it cannot be reached
    failures   INTEGER NOT NULL, -- failed well-known requests in a row
    expires_ts INTEGER NOT NULL  -- when to look again, in milliseconds since the epoch
) STRICT;

-- The server's published signing keys, as we have seen them [S-S §3.1].
CREATE TABLE verify_key (
    key_id         TEXT PRIMARY KEY, -- "ed25519:VERSION"
    public_key     TEXT NOT NULL,    -- unpadded base64
    valid_until_ts INTEGER NOT NULL, -- what it signs until then is good; of an old key, when it expired
    is_old         INTEGER NOT NULL  -- 1 when it signs events of the past only
) STRICT, WITHOUT ROWID;

-- The last answer of the server about its keys, to be passed on as a notary. One row.
CREATE TABLE key_response (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    json       TEXT NOT NULL,    -- as the server signed it
    fetched_ts INTEGER NOT NULL  -- milliseconds since the epoch
) STRICT;
