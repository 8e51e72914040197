-- What clients, and the server, keep for the user [C-S §11.10]: one row a type, for each room and for all.
CREATE TABLE account_data (
    room_id  TEXT NOT NULL,    -- '' for what belongs to no room
    kind     TEXT NOT NULL,    -- the event type
    content  TEXT NOT NULL,    -- a JSON object
    position INTEGER NOT NULL, -- of the sync stream, at which it last changed
    PRIMARY KEY (room_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX account_data_by_position ON account_data (position);
