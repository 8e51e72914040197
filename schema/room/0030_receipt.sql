-- Up to where users have read: one row for each user, kind and thread [C-S §11.6].
CREATE TABLE receipt (
    user_id    TEXT NOT NULL,
    kind       TEXT NOT NULL,    -- "m.read" or "m.read.private"
    thread     TEXT NOT NULL,    -- "": all threads; "main"; or the event id of a thread's root
    event_id   TEXT NOT NULL,    -- the last event read
    read_up_to INTEGER NOT NULL, -- its position in the log; 0 when it is not here
    ts         INTEGER NOT NULL, -- when it was read, milliseconds
    position   INTEGER NOT NULL, -- the position that the receipt took in the log
    PRIMARY KEY (user_id, kind, thread)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_by_position ON receipt (position);
