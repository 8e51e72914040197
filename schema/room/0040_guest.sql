-- Guests of this server who joined the room: they leave when it lets guests in no more [C-S §11.24].
CREATE TABLE guest (
    user_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
