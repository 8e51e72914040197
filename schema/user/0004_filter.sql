-- Filters that clients uploaded [C-S §7].
CREATE TABLE filter (
    id         INTEGER PRIMARY KEY,
    definition TEXT NOT NULL,       -- JSON
    hash       BLOB NOT NULL UNIQUE -- SHA-256 of the definition: the same filter has one id
) STRICT;
