-- Messages to devices that they have not acknowledged [C-S §11.14].
CREATE TABLE to_device (
    device_id TEXT NOT NULL REFERENCES device (device_id) ON DELETE CASCADE,
    position  INTEGER NOT NULL, -- of the sync stream
    message   TEXT NOT NULL,    -- JSON, as the client gets it
    PRIMARY KEY (device_id, position)
) STRICT, WITHOUT ROWID;

-- Messages that were taken in lately, so that one sent again is not delivered again.
CREATE TABLE to_device_received (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    sender     TEXT NOT NULL,
    message_id TEXT NOT NULL,
    UNIQUE (sender, message_id)
) STRICT;
