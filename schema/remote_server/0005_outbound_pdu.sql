-- Events for a server that takes no part in their room, and so does not follow its log: the end of an
-- invitation.
CREATE TABLE outbound_pdu (
    id   INTEGER PRIMARY KEY,
    json TEXT NOT NULL
) STRICT;

-- `outbound_pdu` rows up to this id arrive with the transaction.
ALTER TABLE outbound_transaction ADD COLUMN last_pdu INTEGER NOT NULL DEFAULT 0;
