-- Keys of the server's users as it told them. They stay right while the user shares a room with one of ours: the server
-- tells of changes.
CREATE TABLE device_cache (
    user_id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL, -- a room that the user shares with one of ours
    keys    TEXT NOT NULL  -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX device_cache_by_room ON device_cache (room_id);
