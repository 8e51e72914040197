-- Aliases of this server's domain and the rooms that they name [C-S §11.2.1].
CREATE TABLE room_alias (
    alias      TEXT PRIMARY KEY, -- with "#" and domain
    room_id    TEXT NOT NULL,
    creator    TEXT NOT NULL,    -- the user who made it, and who may always remove it
    created_ts INTEGER NOT NULL  -- milliseconds since the epoch
) STRICT, WITHOUT ROWID;
CREATE INDEX room_alias_by_room ON room_alias (room_id);
