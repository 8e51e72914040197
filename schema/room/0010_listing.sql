-- Whether the published room directory follows the room. A row once it does.
CREATE TABLE listing (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    root    INTEGER NOT NULL, -- the state that the directory has seen
    is_told INTEGER NOT NULL  -- 1: it was told that this is no longer the current one
) STRICT;
