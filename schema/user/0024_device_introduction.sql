-- Rooms that the user joined, of which the other servers may not follow the user's devices yet, and are to be told of them.
CREATE TABLE device_introduction (
    room_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
