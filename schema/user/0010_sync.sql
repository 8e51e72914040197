-- The rooms that the user is, or was, in any way a member of.
CREATE TABLE membership (
    room         INTEGER PRIMARY KEY,  -- the user's number for the room; never given to another
    room_id      TEXT NOT NULL UNIQUE,
    membership   TEXT NOT NULL,        -- "join", "invite", "knock", "leave" or "ban"
    since        INTEGER NOT NULL,     -- position of the sync stream at which it became so
    position     INTEGER NOT NULL,     -- position of the room's log at which it became so, by the room's last word; 0: none
    is_from_outside INTEGER NOT NULL,  -- 1: the last word was not the room's, for this server is not in it
    sender       TEXT NOT NULL,        -- who made it so
    is_forgotten INTEGER NOT NULL,     -- 1: the user wants to hear no more of it
    shown        TEXT,                 -- JSON: an array of stripped state, or the event that ended an invitation from outside
    seen         BLOB NOT NULL         -- how far the user's clients have seen the room (user/sync/seen.rs)
) STRICT;
CREATE INDEX membership_by_kind ON membership (membership);

-- The order of everything that the user's clients follow. One row, made at the first change.
CREATE TABLE sync_stream (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL, -- the last position given out
    changed  BLOB NOT NULL     -- pairs of varints: a room's number, the position at which it last changed
) STRICT;
