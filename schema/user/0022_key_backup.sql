-- Versions of the user's server-side key backup [C-S §11.15.3.2].
CREATE TABLE key_backup (
    version   INTEGER PRIMARY KEY AUTOINCREMENT,
    algorithm TEXT NOT NULL,
    auth_data TEXT NOT NULL,              -- JSON
    etag      INTEGER NOT NULL DEFAULT 0, -- grows with every change of the keys
    count     INTEGER NOT NULL DEFAULT 0  -- how many keys there are
) STRICT;

-- Its keys: one for each session of each room.
CREATE TABLE backed_up_key (
    version    INTEGER NOT NULL REFERENCES key_backup (version) ON DELETE CASCADE,
    room_id    TEXT NOT NULL,
    session_id TEXT NOT NULL,
    key        TEXT NOT NULL, -- JSON, KeyBackupData
    PRIMARY KEY (version, room_id, session_id)
) STRICT, WITHOUT ROWID;
