-- What users reported as inappropriate [C-S §11.20], until an administrator removes it.
CREATE TABLE report (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL,    -- what is reported: event, room or user
    received_ts     INTEGER NOT NULL, -- milliseconds since the epoch
    reporter        TEXT NOT NULL,    -- a user of this server
    reason          TEXT,             -- in their words
    room_id         TEXT,             -- of an event or room
    event_id        TEXT,             -- of an event
    reported        TEXT,             -- the user, or the sender of the event
    room_name       TEXT,             -- as it was then
    canonical_alias TEXT,             -- as it was then
    event           TEXT              -- the event as it was then, JSON
) STRICT;
CREATE INDEX report_by_kind ON report (kind, id);
