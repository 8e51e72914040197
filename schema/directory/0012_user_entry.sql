-- The user directory: this server's users by their names, and the rooms that make users known to everyone.

-- Users, each with a number for the index.
CREATE TABLE user_entry (
    number       INTEGER PRIMARY KEY,
    user_id      TEXT NOT NULL UNIQUE,
    display_name TEXT,
    avatar_url   TEXT,
    is_changed   INTEGER NOT NULL -- 1: the user's actor knows better
) STRICT;
CREATE INDEX user_entry_changed ON user_entry (number) WHERE is_changed = 1;

-- The words of their ids and names; rowid is the number. Holds no text.
CREATE VIRTUAL TABLE user_words USING fts5(
    user_id, display_name, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- Rooms that everyone may join or read, as far as they told.
CREATE TABLE open_room (
    room_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
