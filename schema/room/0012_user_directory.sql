-- What the room has to do with the user directory.

-- Whether the directory was told that everyone may join or read the room. A row once it was.
CREATE TABLE openness (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    is_open INTEGER NOT NULL
) STRICT;

-- The state that `member_words` follows. A row once somebody has searched.
CREATE TABLE member_index (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    root INTEGER NOT NULL
) STRICT;

-- The words of the ids and names of joined users of other servers; rowid is the number of the state key. Holds no text.
CREATE VIRTUAL TABLE member_words USING fts5(
    user_id, display_name, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);
