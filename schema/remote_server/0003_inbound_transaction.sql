-- Transactions of the server that were taken in, the latest few: one that comes again gets the same
-- answer, and has no effect [S-S §4].
CREATE TABLE inbound_transaction (
    id     INTEGER PRIMARY KEY, -- in the order of arrival
    txn_id TEXT NOT NULL UNIQUE,
    answer TEXT NOT NULL        -- JSON: for each event id, null or why it was refused
) STRICT;
