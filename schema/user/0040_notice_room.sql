-- The room in which this server talks to the user [C-S §11.35, server notices]. A row once there is one.
CREATE TABLE notice_room (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    room_id TEXT NOT NULL
) STRICT;
