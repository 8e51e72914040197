-- What users of this server have not read, as far as it was counted. Brought up to date when they sync, and written
-- down rarely: what came since is counted again.
CREATE TABLE unread (
    user_id    TEXT PRIMARY KEY,
    counted_to INTEGER NOT NULL, -- position of the log
    events     TEXT NOT NULL     -- JSON: those events that notify (room/unread/tally.rs)
) STRICT, WITHOUT ROWID;
