-- Rooms in the published room directory [C-S §11.2.2], as they were when last asked.
CREATE TABLE published_room (
    room_id        TEXT PRIMARY KEY,
    joined_members INTEGER NOT NULL,
    room_type      TEXT,             -- NULL: no special type
    search_text    TEXT NOT NULL,    -- name, topic and canonical alias in lower case
    chunk          TEXT,             -- the entry as clients get it, JSON; NULL until the room was asked
    is_changed     INTEGER NOT NULL  -- 1: the room has told that this is out of date
) STRICT, WITHOUT ROWID;
CREATE INDEX published_room_by_size ON published_room (joined_members, room_id);
CREATE INDEX published_room_changed ON published_room (room_id) WHERE is_changed = 1;

-- In which lists a room is published.
CREATE TABLE publication (
    network TEXT NOT NULL, -- a third-party network's instance id; '' for this server's own list
    room_id TEXT NOT NULL REFERENCES published_room (room_id) ON DELETE CASCADE,
    PRIMARY KEY (network, room_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX publication_by_room ON publication (room_id);
