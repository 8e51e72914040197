-- Rooms of which the server sent events: with those of `room_cursor`, where an event may be that it
-- asks for by id alone.
CREATE TABLE shared_room (
    room_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
